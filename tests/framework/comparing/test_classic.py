"""McNemar and DeLong, against scipy, scikit-learn and the slow way."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from transfer.comparing.classic import classic_tests, delong, mcnemar
from transfer.samples.target import TargetKind


def right(said):
    return said.probabilities.argmax(axis=1) == said.targets


def test_mcnemar_is_a_coin_thrown_for_each_row_that_only_one_gets_right():
    first = np.array([1, 1, 1, 1, 1, 1, 0, 0, 1, 0], np.bool_)
    second = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 0], np.bool_)
    test = mcnemar(first, second)
    # By hand: 7 coins, at most 1 on the rarer side, two-sided: 2 (1 + 7) / 128.
    assert test.p == pytest.approx(0.125)
    assert test.says == "6 against 1 rows right alone"
    assert mcnemar(first, first).p == 1.0


def _slow_delong(truth, first, second):
    """Every pair of a positive and a negative, one by one."""

    def placements(scores):
        pairs = scores[truth][:, None] - scores[~truth][None, :]
        wins = (pairs > 0) + (pairs == 0) / 2
        return wins.mean(axis=1), wins.mean(axis=0)

    (v10, v01), (w10, w01) = placements(first), placements(second)
    variance = np.var(w10 - v10, ddof=1) / truth.sum() + np.var(w01 - v01, ddof=1) / (~truth).sum()
    return 2 * stats.norm.sf(abs(w10.mean() - v10.mean()) / np.sqrt(variance))


def test_delong_is_that_of_all_pairs_and_its_areas_are_scikit_learns():
    generator = np.random.default_rng(0)
    truth = generator.random(80) < 0.4
    first = np.round(truth + generator.normal(0, 1, 80), 1)  # with ties
    second = np.round(truth + generator.normal(0, 1.5, 80), 1)

    test = delong(truth, first, second)

    assert test.p == pytest.approx(_slow_delong(truth, first, second))
    areas = [roc_auc_score(truth, scores) for scores in (first, second)]
    assert test.says == f"{areas[0]:.4f} and {areas[1]:.4f}"
    assert delong(truth, first, first).p == 1.0


def test_of_two_classes_the_second_is_the_one_to_find(answers):
    first, second = (answers(seed, classes=("no", "yes")) for seed in (1, 2))
    tests = classic_tests(first, second, right(first), right(second))
    assert [test.name for test in tests] == ["McNemar (exact)", "DeLong (AUROC)"]
    scores = [said.probabilities[:, 1].astype(float) for said in (first, second)]
    assert tests[1] == delong(first.targets == 1, *scores)


def test_one_label_that_is_there_or_not_is_found_as_well(answers):
    said = [answers(seed, classes=("no", "yes")) for seed in (1, 2)]
    of_label = [
        replace(
            one,
            kind=TargetKind.MULTI_LABEL,
            classes=("yes",),
            targets=one.targets[:, None].astype(np.float32),
            probabilities=one.probabilities[:, 1:],
        )
        for one in said
    ]
    both = [classic_tests(*pair, right(said[0]), right(said[1])) for pair in (said, of_label)]
    assert both[0] == both[1]


def test_three_classes_have_no_area(answers):
    first, second = answers(1), answers(2)
    tests = classic_tests(first, second, right(first), right(second))
    assert [test.name for test in tests] == ["McNemar (exact)"]


def test_rows_that_share_a_group_are_not_independent(answers):
    first, second = answers(1, each=2), answers(2, each=2)
    assert classic_tests(first, second, right(first), right(second)) == ()

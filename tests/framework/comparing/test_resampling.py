"""Resamples and swaps: against all swaps of a small case, and scores of every kind."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from transfer.comparing.gaps import share_beyond
from transfer.comparing.resampling import on_one_scale, points, resampled_scores, swapped_gaps
from transfer.samples.predictions import Decisions, Thresholds
from transfer.samples.target import TargetKind
from transfer.scoring.multi_label import multi_label_scores
from transfer.scoring.ranking import average_precision, rank_measures, roc_area
from transfer.scoring.single_label import single_label_scores


def test_the_resamples_are_the_same_for_all_answers(answers):
    said = answers(1, each=3)
    one, other = resampled_scores([said, said], single_label_scores, replicates=50, seed=0)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_swaps_are_those_of_whole_groups(answers):
    first, second = answers(1, rows=18, each=3), answers(2, rows=18, each=3)
    right = [(s.probabilities.argmax(axis=1) == s.targets).astype(float) for s in (first, second)]
    of_group = (right[1] - right[0]).reshape(6, 3).sum(axis=1)
    every = [float(np.dot(signs, of_group)) / 18 for signs in product((1, -1), repeat=6)]

    gaps = swapped_gaps([(first, second)], single_label_scores, replicates=4000, seed=0)

    assert {round(gap, 9) for gap in gaps["accuracy"]} == {round(gap, 9) for gap in every}
    exact = np.mean(np.abs(every) >= abs(of_group.sum() / 18) - 1e-12)
    assert share_beyond(of_group.sum() / 18, gaps["accuracy"]) == pytest.approx(exact, abs=0.03)


def test_swaps_agree_with_scipys_paired_permutation_of_losses(answers):
    first, second = answers(1, rows=60), answers(2, rows=60)
    rows = np.arange(60)
    losses = [-np.log(said.probabilities[rows, said.targets]) for said in (first, second)]

    gaps = swapped_gaps([(first, second)], single_label_scores, replicates=4000, seed=0)

    difference = float((losses[1] - losses[0]).mean())
    theirs = stats.permutation_test(
        (losses[1] - losses[0],), np.mean, permutation_type="samples", n_resamples=4000, rng=0
    )
    assert share_beyond(difference, gaps["log_loss"]) == pytest.approx(theirs.pvalue, abs=0.03)


def test_of_several_pairs_the_mean_gap_is_taken_and_groups_move_together(answers):
    pairs = [(answers(1), answers(2)), (answers(3), answers(4))]
    both = swapped_gaps(pairs, single_label_scores, replicates=40, seed=0)
    each = [swapped_gaps([pair], single_label_scores, replicates=40, seed=0) for pair in pairs]
    np.testing.assert_allclose(
        both["kappa"], np.mean([gaps["kappa"] for gaps in each], axis=0), atol=1e-12
    )


def _ranking(predictions, weights):
    truth, scores = predictions.targets == 1, predictions.probabilities[:, 1]
    area, precision = rank_measures(scores, truth, weights, roc_area, average_precision)
    return {"auroc": area, "ap": precision}


def test_a_network_that_is_surer_throughout_is_not_another_network(answers):
    # The same ranking on another scale: a swap of raw probabilities would mix the two scales.
    first = answers(1, classes=("no", "yes"))
    surer = 0.5 + (first.probabilities - 0.5) * 0.01
    second = replace(first, probabilities=surer.astype(np.float32))
    gaps = swapped_gaps([(first, second)], _ranking, replicates=200, seed=0)
    assert np.abs(gaps["auroc"]).max() < 1e-9
    assert np.abs(gaps["ap"]).max() < 1e-9


def test_one_scale_keeps_rankings_and_what_is_said(answers):
    said = replace(
        _several_labels(answers(1)), thresholds=Thresholds((0.2, 0.3, 0.4), fitted_on="val")
    )
    own, ranked = (points(one, multi_label_scores) for one in (said, on_one_scale(said)))
    for name in ("macro_ap", "macro_auroc", "macro_f1"):
        assert ranked[name] == pytest.approx(own[name], abs=1e-12)
    assert abs(ranked["log_loss"] - own["log_loss"]) > 0.01
    assert ((on_one_scale(said).probabilities > 0) & (on_one_scale(said).probabilities < 1)).all()


def _several_labels(said):
    labels = np.eye(len(said.classes), dtype=np.float32)[said.targets]
    return replace(said, kind=TargetKind.MULTI_LABEL, targets=labels)


def test_each_run_keeps_its_own_thresholds_of_labels(answers):
    limits = (Thresholds((0.2, 0.3, 0.4), "val"), Thresholds((0.5, 0.5, 0.5), "val"))
    first, second = (
        replace(_several_labels(answers(seed)), thresholds=limit)
        for seed, limit in zip((1, 2), limits, strict=True)
    )
    gaps = swapped_gaps([(first, second)], multi_label_scores, replicates=500, seed=0)
    assert set(gaps) == {"macro_ap", "micro_ap", "macro_auroc", "macro_f1", "log_loss"}
    own = [points(said, multi_label_scores)["macro_f1"] for said in (first, second)]
    assert np.abs(gaps["macro_f1"]).max() >= abs(own[1] - own[0]) / 4
    assert abs(gaps["macro_f1"].mean()) < 0.01


def _at_decision(predictions, weights):
    said = predictions.probabilities[:, 1] >= predictions.decisions.by_name["from"]
    return {"said": weights @ said / weights.sum(axis=1)}


def test_a_score_at_a_decision_of_each_run_cannot_be_swapped(answers):
    first, second = answers(1), answers(2)
    decided = [
        replace(said, decisions=Decisions({"from": limit}, "val"))
        for said, limit in ((first, 0.2), (second, 0.6), (second, 0.2))
    ]
    assert not swapped_gaps([tuple(decided[:2])], _at_decision, replicates=20, seed=0)
    alike = swapped_gaps([(decided[0], decided[2])], _at_decision, replicates=20, seed=0)
    assert set(alike) == {"said"}


def _by_patient(predictions, weights):
    """Judge patients: the mean over all their rows, as a domain may."""
    patients, number = np.unique(predictions.groups, return_inverse=True)
    means = np.bincount(number, predictions.probabilities[:, 1]) / np.bincount(number)
    first_row = np.array([np.flatnonzero(number == p)[0] for p in range(len(patients))])
    return {"mean": weights[:, first_row] @ means / weights[:, first_row].sum(axis=1)}


def test_rows_of_a_patient_are_never_mixed_with_what_another_network_said_of_them(answers):
    first, second = answers(1, rows=30, each=5), answers(2, rows=30, each=5)
    gaps = swapped_gaps([(first, second)], _by_patient, replicates=300, seed=0)
    own = [points(said, _by_patient)["mean"] for said in (first, second)]
    assert np.isclose(np.abs(gaps["mean"]), abs(own[1] - own[0])).any()
    assert set(gaps) == {"mean"}


def _of_small_ones(predictions, weights):
    right = predictions.probabilities.argmax(axis=1) == predictions.targets
    weights = weights * (predictions.facts["width"] < 30).to_numpy()
    return {"small/accuracy": weights @ right / weights.sum(axis=1)}


def test_a_score_by_facts_of_the_rows_sees_those_of_both_networks(answers):
    facts = pd.DataFrame({"width": [20, 40, 60] * 20})
    first, second = (replace(answers(seed, rows=60), facts=facts) for seed in (1, 2))
    right = [(s.probabilities.argmax(axis=1) == s.targets)[::3] for s in (first, second)]
    gaps = swapped_gaps([(first, second)], _of_small_ones, replicates=40, seed=0)["small/accuracy"]
    # No order of sides takes a network further ahead than all rows on which they differ.
    assert 0 < np.abs(gaps).max() <= (right[0] != right[1]).sum() / 20
    np.testing.assert_allclose(gaps * 20, np.rint(gaps * 20), atol=1e-9)  # of 20 rows

"""Gaps: p-values, intervals and corrections against cases by hand and against scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from transfer.comparing.gaps import (
    Gap,
    gap_of_models,
    gap_of_recipes,
    holm,
    interval,
    rows_needed,
    share_across_zero,
    share_beyond,
)


def test_a_p_value_counts_the_difference_itself_and_what_is_as_far_on_either_side():
    swapped = np.array([0.0, 0.1, -0.2, 0.2, 0.3, math.nan])
    assert share_beyond(-0.2, swapped) == pytest.approx((1 + 4) / 7)
    assert share_beyond(0.0, swapped) == 1.0


def test_resamples_give_the_p_value_of_their_rarer_side():
    assert share_across_zero(np.linspace(-1, 9, 1001)) == pytest.approx(2 * 102 / 1002)
    assert share_across_zero(np.zeros(100)) == 1.0


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    # Three p-values by hand: 3 x 0.01, 2 x 0.02, and 0.02 x 1 raised to what came before.
    assert holm([0.02, 0.01, 0.02], 3) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.04], 1) == [0.04]
    assert holm([0.9, 0.8], 2) == [1.0, 1.0]


def test_comparisons_that_nobody_has_seen_are_taken_for_the_larger_ones():
    assert holm([0.001, 0.004], 10) == pytest.approx([0.01, 0.036])


def test_an_interval_is_that_of_the_resamples_moved_back_to_the_difference():
    draws = np.random.default_rng(0).normal(0.07, 0.02, 200_000)
    low, high = interval(0.05, draws)
    expected = stats.norm(0.05, 0.02).interval(0.95)
    assert (low, high) == pytest.approx(expected, abs=3e-4)
    assert interval(0.0, np.zeros(100)) is None
    assert interval(math.nan, draws) is None


def test_the_rows_that_are_needed_see_the_gap_in_four_of_five_cases():
    draws = np.random.default_rng(0).normal(0.01, 0.02, 100_000)
    needed = rows_needed(0.01, draws, 400)
    error = 0.02 * math.sqrt(400 / needed)
    power = stats.norm.sf(stats.norm.ppf(0.975) - 0.01 / error)
    assert power == pytest.approx(0.8, abs=0.02)
    assert needed == 13_000  # two digits of it
    assert rows_needed(0.0, draws, 400) is None


def test_who_has_less_leads_where_less_is_better():
    assert Gap("eer", 0.2, 0.1, -0.1, lower_is_better=True).second_leads
    assert not Gap("accuracy", 0.2, 0.1, -0.1).second_leads


def test_a_gap_is_reliable_where_neither_p_nor_the_interval_leaves_room_for_chance():
    sure = Gap("accuracy", 0.7, 0.8, 0.1, 0.05, 0.15, 0.01, 0.01)
    assert sure.is_reliable
    for change in ({"corrected": 0.06}, {"corrected": None}, {"low": -0.01}):
        assert not Gap(**{**vars(sure), **change}).is_reliable
    assert Gap("accuracy", 0.7, 0.8, 0.1, p=0.01, corrected=0.01).is_reliable  # too few groups


def test_few_groups_have_a_p_value_by_swaps_and_no_interval():
    draws = np.random.default_rng(0).normal(0.1, 0.05, 1000)
    gap = gap_of_models("accuracy", (0.5, 0.6), draws, draws - 0.1, rows=40, groups=8)
    assert (gap.low, gap.high) == (None, None)
    assert gap.p < 0.1
    unknown = gap_of_models("accuracy", (0.5, 0.6), draws, None, rows=40, groups=8)
    assert unknown.p is None
    assert unknown.note == "8 groups; 20 are needed"


def test_a_score_that_no_row_bears_on_has_no_gap():
    gap = gap_of_models("ap", (math.nan, 0.5), np.full(9, math.nan), None, rows=40, groups=40)
    assert math.isnan(gap.difference)
    assert gap.p is None


def _recipe(generator, seeds, spread, rows_error, replicates=500):
    """Scores of seeds around 0, and resamples that move all of them with the rows."""
    values = generator.normal(0, spread, seeds)
    return values, values[:, None] + generator.normal(0, rows_error, replicates)


def test_a_gap_of_recipes_is_a_welch_test_where_rows_hardly_matter():
    generator = np.random.default_rng(1)
    first, second = (_recipe(generator, k, 0.02, 1e-7, 4000) for k in (5, 7))
    gap = gap_of_recipes("accuracy", (first[0], second[0]), (first[1], second[1]), groups=500)
    expected = stats.ttest_ind(second[0], first[0], equal_var=False)
    low, high = expected.confidence_interval()
    assert gap.p == pytest.approx(expected.pvalue, rel=0.03)
    assert (gap.low, gap.high) == pytest.approx((low, high), abs=1e-3)


def test_a_gap_of_recipes_rejects_as_often_as_it_says():
    rejected = 0
    for number in range(300):
        generator = np.random.default_rng(number)
        first, second = (_recipe(generator, 5, 0.02, 0.0, 300) for _ in range(2))
        moved = generator.normal(0, 0.02)  # of the rows: what both see of it differs
        shaken = generator.normal(0, 0.02, 300)
        gap = gap_of_recipes(
            "accuracy",
            (first[0], second[0] + moved),
            (first[1], second[1] + moved + shaken),
            groups=200,
        )
        rejected += gap.p < 0.05
    assert stats.binomtest(rejected, 300, 0.05).pvalue > 0.01


def test_what_a_seed_does_with_its_rows_is_counted_once():
    """A crossed design whose variances are known: seeds, rows, and each seed on each row."""
    generator, rejected = np.random.default_rng(3), 0
    for _ in range(300):
        of_rows = generator.normal(0, 0.3, 100)
        values, draws = [], []
        often = generator.multinomial(100, np.full(100, 0.01), 200) / 100
        for _ in range(2):
            scores = (
                of_rows + generator.normal(0, 0.02, (5, 1)) + generator.normal(0, 0.5, (5, 100))
            )
            values.append(scores.mean(axis=1))
            draws.append(scores @ often.T)
        gap = gap_of_recipes("accuracy", tuple(values), tuple(draws), groups=100)
        rejected += gap.p < 0.05
    assert stats.binomtest(rejected, 300, 0.05).pvalue > 0.01


def test_recipes_that_never_differ_are_the_same():
    same = np.full(5, 0.5)
    gap = gap_of_recipes("kappa", (same, same), (np.full((5, 9), 0.5),) * 2, groups=50)
    assert gap.p == 1.0

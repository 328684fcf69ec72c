"""The short form of benchmarks/compare_calibration.py: chance is rarely called a difference."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from transfer.comparing.gaps import share_beyond
from transfer.comparing.resampling import points, swapped_gaps
from transfer.scoring.single_label import single_label_scores

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "compare_calibration.py"
PAIRS = 60


@pytest.fixture(scope="module")
def benchmark():
    return runpy.run_path(str(BENCHMARK), run_name="loaded")


@pytest.mark.parametrize("design", ["independent", "clustered"])
def test_where_there_is_no_difference_few_are_found(benchmark, design):
    found = list(benchmark["gaps"](benchmark["DESIGNS"][design], 200, PAIRS, 199))
    low, high = benchmark["expected"](PAIRS, 0.05)
    for score in ("balanced_accuracy", "auroc"):
        assert low <= sum(one[score].p <= 0.05 for one in found) <= high


def test_rows_of_a_group_are_no_independent_witnesses(benchmark):
    design, rejected = benchmark["Design"](rows_of_group=5, of_group=0.1, of_network=0.4), 0
    for seed in range(PAIRS):
        first, second = benchmark["pair"](design, 200, seed)
        apart = [replace(said, groups=np.arange(200)) for said in (first, second)]
        own = [points(said, single_label_scores)["accuracy"] for said in apart]
        swapped = swapped_gaps([tuple(apart)], single_label_scores, replicates=99, seed=seed)
        rejected += share_beyond(own[1] - own[0], swapped["accuracy"]) <= 0.05
    assert rejected > benchmark["expected"](PAIRS, 0.05)[1]


def test_a_planted_difference_is_found_as_often_as_it_should_be(benchmark):
    design = benchmark["DESIGNS"]["independent"]
    found = [one["balanced_accuracy"] for one in benchmark["gaps"](design, 600, PAIRS, 199, 0.04)]
    low, high = benchmark["expected"](PAIRS, benchmark["power"](found))
    assert low <= sum(one.p <= 0.05 and one.second_leads for one in found) <= high
    inside = sum(one.low <= 0.04 <= one.high for one in found)
    low, high = benchmark["expected"](PAIRS, 0.95)
    assert low <= inside <= high

"""Rungs with made-up scores and costs; the Pareto front is checked by looking at every pair."""

import numpy as np
import pytest

from transfer.laddering.choosing import Limits, choose, faster, recommend, undominated
from transfer.laddering.footprint import Footprint
from transfer.laddering.result import Climbed, Tried
from transfer.laddering.rungs import Rung


def rung(name: str, value: float | None, ms: float = 1.0, millions: float = 1.0) -> Climbed:
    cost = Footprint(round(millions * 1e6), 10**9, ms, 32 * ms, 500, 100, 900)
    tried = () if value is None else (Tried("probe", name, name, value, value - 0.1, value + 0.1),)
    return Climbed(Rung(name, name, "hub", "tv_in1k"), cost, tried)


def test_the_best_within_the_limits_is_chosen() -> None:
    rungs = [rung("small", 0.7, 2, 5), rung("middle", 0.8, 5, 20), rung("large", 0.9, 20, 60)]
    assert choose(rungs, Limits()) is rungs[2]
    assert choose(rungs, Limits(latency_ms=5)) is rungs[1]
    assert choose(rungs, Limits(parameters=5_000_000)) is rungs[0]
    assert choose(rungs, Limits(latency_ms=1)) is None


def test_of_equals_the_smaller_is_chosen_and_no_number_is_no_score() -> None:
    rungs = [rung("large", 0.9, 20, 60), rung("small", 0.9, 2, 5), rung("none", float("nan"))]
    assert choose(rungs, Limits()) is rungs[1]


def test_what_is_faster_is_asked_about_unless_something_as_fast_beats_it() -> None:
    rungs = [rung("a", 0.5, 1), rung("b", 0.4, 2), rung("c", 0.6, 3), rung("d", 0.9, 9)]
    slow = rung("e", 0.8, 20)
    assert faster([*rungs, slow], rungs[3], Limits()) == [rungs[0], rungs[2]]
    assert faster([*rungs, slow], rungs[3], Limits(parameters=1)) == []
    assert faster(rungs, rungs[0], Limits()) == []
    unmeasured = Climbed(slow.rung, None, slow.tried)
    assert faster([*rungs, unmeasured], unmeasured, Limits()) == []


def test_what_was_not_measured_is_within_no_limit() -> None:
    unknown = Climbed(Rung("unknown", "unknown", "hub"), None, rung("unknown", 0.9).tried)
    assert choose([unknown], Limits()) is unknown
    assert choose([unknown], Limits(latency_ms=1e9)) is None
    assert "was measured" in recommend(None, [unknown], Limits(latency_ms=1e9))


def test_nobody_on_the_front_is_beaten_at_no_more_cost() -> None:
    generator = np.random.default_rng(0)
    rungs = [
        rung(str(number), round(score, 1), ms=round(ms, 1))
        for number, (score, ms) in enumerate(generator.random((40, 2)) + 0.1)
    ]

    def point(one: Climbed) -> tuple[float, float]:
        assert one.footprint is not None
        assert one.best is not None
        return one.footprint.latency_ms, one.best.value

    front = {
        point(one)
        for one in rungs
        if not any(
            (a <= point(one)[0] and b > point(one)[1]) or (a < point(one)[0] and b == point(one)[1])
            for a, b in map(point, rungs)
        )
    }
    found = undominated(rungs, lambda cost: cost.latency_ms)
    assert {point(one) for one in found} == front
    assert [point(one) for one in found] == sorted(front)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(), "take large by probe: 0.900 [0.800, 1.000], the best on val of 2; 20 ms a"),
        (Limits(latency_ms=9), "take small by probe: 0.700 [0.600, 0.800], the only one within 9"),
        (
            Limits(1, 2_000_000),
            "no backbone is within 1 ms a picture and 2 M parameters: the fastest and smallest",
        ),
    ],
)
def test_a_recommendation_says_what_to_take_and_what_it_costs(limits: Limits, words: str) -> None:
    rungs = [rung("small", 0.7, 2, 5), rung("large", 0.9, 20, 60), rung("unknown", None)]
    assert recommend(choose(rungs, limits), rungs, limits).startswith(words)


def test_where_nothing_was_tried_nothing_is_recommended() -> None:
    assert recommend(None, [rung("a", None)], Limits()).startswith("no backbone could be tried")
    undefined = recommend(None, [rung("a", float("nan"))], Limits())
    assert undefined.startswith("no backbone has a score on these val rows")


def test_a_recommendation_says_who_is_behind_as_good_or_out_of_reach() -> None:
    worse = [rung("a", 0.9, 2, 5), rung("b", 0.8, 5, 20), rung("c", 0.7, 20, 60)]
    assert ", the best on val of 3, 2 of them slower;" in recommend(worse[0], worse, Limits())
    equal = [rung("a", 0.9, 2, 5), rung("b", 0.9, 5, 20), rung("c", 0.7, 20, 60)]
    said = recommend(choose(equal, Limits()), equal, Limits())
    assert said.startswith("take a by probe: 0.900 [0.800, 1.000], the smallest of 2 that are as g")
    apart = [rung("fast", 0.9, 2, 50), rung("small", 0.9, 20, 5)]
    said = recommend(None, apart, Limits(1, 1))
    assert "the fastest tried is fast, 2 ms a picture" in said
    assert "and the smallest small, 20 ms a picture, 5.0 M parameters" in said

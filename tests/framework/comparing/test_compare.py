"""Runs compared from what their store keeps: no network, no MLflow."""

import json
from dataclasses import replace

import numpy as np
import pytest

import transfer
from transfer.comparing.compare import compare_runs
from transfer.comparing.disagreements import disagreements
from transfer.comparing.record import write
from transfer.errors import ComparisonError, RunNotFoundError
from transfer.progress import Silent
from transfer.samples.predictions import Decisions, Thresholds
from transfer.samples.target import TargetKind
from transfer.scoring.metrics import point_scores
from transfer.scoring.single_label import single_label_scores


def compared(store, *contenders, on="val"):
    return compare_runs([one.split(",") for one in contenders], on, store, Silent()).found


def test_the_better_run_is_said_and_by_how_much(store, stored, answers):
    worse, better = answers(1, right=0.6), answers(2, right=0.9)
    stored("a", {"val": worse})
    stored("b", {"val": better})

    found = compared(store, "a", "b")

    (pair,) = found.pairs
    own = [point_scores(said, single_label_scores) for said in (worse, better)]
    assert pair.headline.score == found.headline == "balanced_accuracy"
    gaps = {gap.score: gap for gap in pair.gaps}
    assert set(gaps) == set(own[0])
    for name, gap in gaps.items():
        assert (gap.first, gap.second) == (own[0][name], own[1][name])
    assert pair.headline.is_reliable
    assert pair.headline.low < pair.headline.difference < pair.headline.high
    assert pair.verdict.startswith("b is better by ")
    assert gaps["ece"].p is None
    assert (found.rows, found.groups, found.family, found.looked) == (120, 120, 1, None)
    assert "val rows also picked the epoch" in found.notes[0]


def test_leaks_of_a_run_stand_beside_its_scores(store, stored, answers):
    stored("a", {"val": answers(1)}, **{"transfer.audit": "leaks allowed: 1 group"})
    stored("b", {"val": answers(2)}, **{"transfer.audit": "clean"})

    notes = compared(store, "a", "b").notes

    said = "a: leaks allowed: 1 group; its scores look better than they are"
    assert [note for note in notes if "leaks" in note] == [said]


def test_the_order_of_two_runs_turns_the_gap_and_not_the_verdict(store, stored, answers):
    stored("a", {"val": answers(1, right=0.6)})
    stored("b", {"val": answers(2, right=0.9)})
    one, other = (compared(store, *names).pairs[0] for names in ("ab", "ba"))
    for gap, turned in zip(one.gaps, other.gaps, strict=True):
        assert gap.difference == -turned.difference
        if gap.low is not None:
            assert (gap.low, gap.high) == pytest.approx((-turned.high, -turned.low), abs=1e-12)
    assert one.verdict == other.verdict.replace(" over ", " ")
    assert one.only_first == other.only_second


def test_rows_that_only_one_says_right_are_named(store, stored, answers):
    first, second = answers(1), answers(2)
    stored("a", {"val": first})
    stored("b", {"val": second})
    (pair,) = compared(store, "a", "b").pairs
    right = [said.probabilities.argmax(axis=1) == said.targets for said in (first, second)]
    assert pair.only_first == tuple(first.keys[right[0] & ~right[1]].tolist())
    assert pair.only_second == tuple(first.keys[right[1] & ~right[0]].tolist())
    (mcnemar,) = pair.tests
    assert mcnemar.says.startswith(f"{len(pair.only_first)} against {len(pair.only_second)} ")


def test_the_same_run_twice_is_no_difference(store, stored, answers):
    stored("a", {"val": answers(1)})
    (pair,) = compared(store, "a", "a").pairs
    assert pair.verdict == "No difference: a and a say the same of every row."
    assert all(gap.difference == 0 and gap.low is None for gap in pair.gaps)
    assert {gap.p for gap in pair.gaps if gap.score != "ece"} == {1.0}


def test_rows_in_groups_have_no_tests_for_single_rows(store, stored, answers):
    for name, seed in (("a", 1), ("b", 2)):
        stored(name, {"val": answers(seed, each=4)})
    found = compared(store, "a", "b")
    assert found.groups == 30
    assert found.pairs[0].tests == ()


def test_of_several_runs_each_is_compared_with_each_and_corrected(store, stored, answers):
    for seed, name in enumerate("abc"):
        stored(name, {"val": answers(seed, right=0.6 + 0.15 * seed)})
    found = compared(store, "a", "b", "c")
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("a", "b"), ("a", "c"), ("b", "c")
    ]  # fmt: skip
    assert found.family == 3
    ps = sorted((pair.headline.p, pair.headline.corrected) for pair in found.pairs)
    assert ps[0][1] == pytest.approx(3 * ps[0][0])
    assert all(p <= corrected for p, corrected in ps)


def test_on_test_whoever_was_looked_at_counts(store, stored, answers):
    for seed, name in enumerate("abcde"):
        stored(
            name, {"val": answers(seed), "test": answers(seed + 9, right=0.6 + 0.1 * (seed < 1))}
        )
    stored("other rows", {"val": answers(1), "test": answers(1)}, **{"transfer.test_digest": "x"})
    stored("stopped", {"val": answers(1)}, **{"transfer.test_digest": "digest"})

    found = compared(store, "a", "b", on="test")

    assert found.looked == 5
    assert found.family == 1 + 3
    gap = found.pairs[0].headline
    assert gap.corrected == pytest.approx(min(1.0, 4 * gap.p))
    assert found.notes[0].startswith(
        "5 run(s) of this store have been looked at on these test rows"
    )


def _seeds(stored, answers, recipe, right, count, **params):
    for seed in range(count):
        said = {"val": answers(100 * seed + len(recipe), right=right)}
        stored(f"{recipe}{seed}", said, {"seed": str(seed), "lr": "0.1", **params})
    return ",".join(f"{recipe}{seed}" for seed in range(count))


def test_five_seeds_of_each_tell_of_recipes(store, stored, answers):
    worse = _seeds(stored, answers, "a", 0.6, 5)
    better = _seeds(stored, answers, "bb", 0.9, 5)
    found = compared(store, worse, better)
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.claim) == ("a0..a4", "bb0..bb4", "recipes")
    assert pair.headline.is_reliable
    assert pair.verdict.endswith("This is about the two recipes, over 5 and 5 seeds.")
    assert pair.headline.note.startswith("seeds and rows; ")
    assert len(found.notes) == 1


def test_fewer_seeds_are_compared_as_the_models_they_are(store, stored, answers):
    first, second = _seeds(stored, answers, "a", 0.6, 3), _seeds(stored, answers, "bb", 0.9, 3)
    found = compared(store, first, second)
    (pair,) = found.pairs
    assert pair.claim == "models"
    assert "about these 6 trained models" in pair.verdict
    assert pair.headline.note == "swaps"
    assert any("under 5 seeds nobody can tell" in note for note in found.notes)


def test_contenders_with_unlike_numbers_of_runs_cannot_swap(store, stored, answers):
    several = _seeds(stored, answers, "a", 0.6, 3)
    stored("b", {"val": answers(50, right=0.9)})
    (pair,) = compared(store, several, "b").pairs
    assert pair.headline.is_reliable
    assert pair.headline.note == "resamples"


def test_runs_that_differ_in_more_than_the_seed_are_no_recipe(store, stored, answers):
    first = _seeds(stored, answers, "a", 0.6, 5)
    second = _seeds(stored, answers, "bb", 0.9, 4)
    stored("bb4", {"val": answers(7, right=0.9)}, {"seed": "3", "lr": "0.2"})
    found = compared(store, first, f"{second},bb4")
    assert found.pairs[0].claim == "models"
    assert "the runs of bb0..bb4 differ in lr" in found.notes
    assert "runs of bb0..bb4 share a seed" in found.notes


def test_runs_that_learned_from_other_data_are_no_recipe(store, stored, answers):
    first = _seeds(stored, answers, "a", 0.6, 5)
    second = _seeds(stored, answers, "bb", 0.9, 4)
    other = {"transfer.data_digest": "other"}
    stored("bb4", {"val": answers(7, right=0.9)}, {"seed": "4", "lr": "0.1"}, **other)
    assert "the runs of bb0..bb4 differ in data" in compared(store, first, f"{second},bb4").notes


@pytest.mark.parametrize(
    ("runs", "name"),
    [("set-probe-0,set-probe-4", "set-probe-0..4"), ("run-1,run-10", "run-1..10")],
)
def test_what_the_names_of_one_recipe_share_is_said_once(store, stored, answers, runs, name):
    for number, run in enumerate(runs.split(",")):
        stored(run, {"val": answers(number)}, {"seed": str(number)})
    stored("b", {"val": answers(9)})
    assert [side.name for side in compared(store, runs, "b").sides] == [name, "b"]


def test_of_several_runs_a_disagreement_tells_what_most_of_them_say(store, stored, answers):
    runs = _seeds(stored, answers, "a", 0.6, 3)
    stored("b", {"val": answers(9, right=0.9)})
    both = compare_runs([runs.split(","), ["b"]], "val", store, Silent()).contenders
    rows = disagreements(*both)
    for row in rows:
        label, of = row.first_says.rsplit(" in ", 1)
        most = label == row.label and int(of[0]) > 1
        assert (most, of[1:]) == (row.only_first, " of 3")
    assert {row.only_first for row in rows} == {True, False}


def test_two_runs_of_one_name_are_told_apart_by_their_ids(store, stored, answers):
    ids = [stored("a", {"val": answers(seed)}).id for seed in (1, 2)]
    found = compared(store, *ids)
    assert [side.name for side in found.sides] == [f"a ({run_id[:8]})" for run_id in ids]


def test_runs_of_two_tasks_are_judged_as_the_first_is(store, stored, answers):
    stored("a", {"val": answers(1)})
    stored("b", {"val": answers(2)}, task="satellite_vegetation")
    expected = "runs of labelled_images and satellite_vegetation; all are judged as labelled_images"
    assert any(expected in note for note in compared(store, "a", "b").notes)


def _judge(settings):
    """Judge by a threshold that each run decides for itself."""

    def scores(predictions, weights):
        said = predictions.probabilities[:, 0] >= predictions.decisions.by_name["from"]
        true = predictions.targets == 0
        return {
            "false/cats": weights @ (said & ~true) / weights.sum(axis=1),
            "sensitivity": weights @ (said & true) / (weights @ true),
        }

    return transfer.Judge(
        scores=scores, lower_is_better=frozenset({"false"}), shown=("false/cats",)
    )


@pytest.fixture
def judged(monkeypatch):
    """Let the task judge by thresholds."""
    task = replace(transfer.load_task("labelled_images"), judge=_judge, notice="no medicine")
    monkeypatch.setattr("transfer.comparing.compare.load_task", lambda name: task)


@pytest.mark.usefixtures("judged")
def test_a_domains_scores_are_compared_at_the_decisions_of_each_run(store, stored, answers):
    for name, seed, limit in (("a", 1, 0.2), ("b", 2, 0.6)):
        decided = Decisions({"from": limit}, "calibration")
        stored(name, {"val": replace(answers(seed), decisions=decided)})
    found = compared(store, "a", "b")
    gaps = {gap.score: gap for gap in found.pairs[0].gaps}
    assert list(gaps)[:2] == ["balanced_accuracy", "false/cats"]
    assert gaps["false/cats"].lower_is_better
    assert gaps["log_loss"].lower_is_better
    assert not gaps["sensitivity"].lower_is_better
    for name in ("false/cats", "sensitivity"):
        assert gaps[name].note == "resamples"
        assert (gaps[name].p < 0.05) == (gaps[name].low > 0 or gaps[name].high < 0)
    assert gaps["balanced_accuracy"].note == "swaps"
    first = answers(1)
    said = (first.probabilities[:, 0] >= 0.2) & (first.targets == 0)
    assert gaps["sensitivity"].first == pytest.approx(said.sum() / (first.targets == 0).sum())
    assert found.notice == "no medicine"


def test_each_run_keeps_its_thresholds(store, stored, answers):
    labels = np.eye(3, dtype=np.float32)[answers(0).targets]
    limits = (Thresholds((0.2, 0.3, 0.4), "val"), Thresholds((0.5, 0.6, 0.5), "val"))
    for name, seed, limit in (("a", 1, limits[0]), ("b", 2, limits[1])):
        several = {"kind": TargetKind.MULTI_LABEL, "targets": labels, "thresholds": limit}
        stored(name, {"val": replace(answers(seed), **several)})
    (pair,) = compared(store, "a", "b").pairs
    assert pair.headline.score == "macro_ap"
    assert {gap.score: gap.note for gap in pair.gaps if gap.p is not None} == dict.fromkeys(
        ("macro_ap", "micro_ap", "macro_auroc", "macro_f1", "log_loss"), "swaps"
    )


def test_an_identity_is_compared_by_what_its_runs_say_of_themselves(store, stored, answers):
    for name, seed in (("a", 1), ("b", 2)):
        stored(name, {"val": replace(answers(seed), kind=TargetKind.IDENTITY)})
    found = compared(store, "a", "b")
    (pair,) = found.pairs
    assert (pair.headline.score, pair.headline.first, pair.headline.p) == ("rank_1", 0.5, None)
    assert pair.verdict == "No verdict: embeddings are not kept."
    assert any("judged by embeddings" in note for note in found.notes)


def test_scores_that_the_run_has_otherwise_or_that_need_more_are_named(store, stored, answers):
    stored("a", {"val": answers(1)})
    record = stored("b", {"val": answers(2)})
    events = record.folder / "events.jsonl"
    text = events.read_text().replace('"val/kappa":', '"val/slice/night":0.5,"val/kappa":9')
    events.write_text(text)
    notes = compared(store, "a", "b").notes
    assert any(note.startswith("b has other values of kappa") for note in notes)
    assert "not compared, for they need more than is kept: slice/night" in notes


def test_a_headline_that_cannot_be_had_is_said(store, stored, answers):
    for name, seed in (("a", 1), ("b", 2)):
        stored(name, {"val": answers(seed)}, **{"transfer.headline": "slice/night"})
    found = compared(store, "a", "b")
    assert found.headline == "balanced_accuracy"
    assert "slice/night, the headline, cannot be had from what is kept" in found.notes


@pytest.mark.parametrize(
    ("contenders", "on", "error", "message"),
    [
        (["a"], "val", ComparisonError, "name two or more"),
        (["a", "a"], "train", ComparisonError, "on val or test, not on 'train'"),
        (["a,a", "a"], "val", ComparisonError, "names a run twice"),
        (["a", "nobody"], "val", RunNotFoundError, "nobody"),
    ],
)
def test_what_makes_no_comparison_is_refused(  # noqa: PLR0917  # fixtures and cases
    store, stored, answers, contenders, on, error, message
):
    stored("a", {"val": answers(1)})
    with pytest.raises(error, match=message):
        compared(store, *contenders, on=on)


def test_a_comparison_is_kept_as_a_run_that_points_at_those_it_compares(
    store, stored, answers, recorder
):
    ids = [stored(name, {"val": answers(seed)}).id for name, seed in (("a", 1), ("b", 2))]
    result = compare_runs([["a"], ["b"]], "val", store, Silent())
    runs = [run for contender in result.contenders for run in contender.runs]

    write(result.found, runs, recorder, "compare-a-b")

    assert recorder.run.experiment == "labelled_images"
    assert recorder.run.tags["transfer.compared"] == ",".join(ids)
    assert recorder.run.tags["mlflow.note.content"] == result.found.pairs[0].verdict
    gap = result.found.pairs[0].headline
    assert recorder.numbers["gap/balanced_accuracy", 0] == gap.difference
    assert recorder.numbers["gap/balanced_accuracy_low", 0] == gap.low
    kept = json.loads(recorder.files["comparison.json"])
    assert kept["pairs"][0]["gaps"][0]["p"] == gap.p
    assert b"<html" in recorder.files["comparison.html"]
    assert recorder.status == "FINISHED"

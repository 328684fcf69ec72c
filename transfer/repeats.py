"""Several runs under one parent: folds, and a learning curve over parts of the training rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from transfer.experiment import RunResult, closing
from transfer.figures import data_curve
from transfer.logbook import Logbook, flat
from transfer.plan import Plan
from transfer.progress import Progress
from transfer.samples.folds import deal_folds, held_out, nested_parts
from transfer.samples.leaks import CLEAN
from transfer.samples.manifest import Manifest
from transfer.samples.predictions import Predictions
from transfer.scoring.intervals import Score
from transfer.scoring.judging import Judging
from transfer.scoring.metrics import SCORECARDS, point_scores
from transfer.tracking.tracker import Status, Tracker

OUT_OF_FOLD = "out_of_fold"
"""The name under which a parent keeps what its folds said about the rows they never saw."""

RunOne = Callable[[Plan], RunResult]
"""Carries out one plan as a run of its own."""


@dataclass(frozen=True)
class Repeated:
    """What several runs found together.

    Attributes:
        run_id: of the parent in its store.
        name: what people call it.
        status: of the run that ended the row: FINISHED where all of them did.
        ended: how that run ended, in words.
        scores: of the pooled out-of-fold predictions, with `_low` and `_high`; of identities, the
            means over the folds; of a learning curve, none.
        table: one line for each run: which part, how many rows, its name, id and scores.
        parts: what each run found.
        shown: the scores that tell most, the one that selected first.
        notice: what the task wants everyone to know who reads its scores.
        audit: "clean", or what is wrong with the rows that the scores are of.
        pooled: whether the scores are of predictions put together, and no means over the folds.
    """

    run_id: str
    name: str
    status: Status
    ended: str
    scores: dict[str, float]
    table: pd.DataFrame
    parts: tuple[RunResult, ...]
    shown: tuple[str, ...] = ()
    notice: str = ""
    audit: str = CLEAN
    pooled: bool = True


def fold_plans(plan: Plan, folds: int) -> list[Plan]:
    """Return the plan of each fold; its test rows are the fold, those of `plan` are in none.

    Raises:
        ManifestError: a class has too few groups.
    """
    settings = plan.settled.recipe.split
    of_row = deal_folds(plan.manifest, folds, settings.seed)
    return [
        replace(
            plan,
            manifest=held_out(plan.manifest, of_row, fold, settings),
            leaks=(),  # what given splits divide, folds keep together
            name=f"{plan.name}-fold{fold + 1}",
        )
        for fold in range(folds)
    ]


def fraction_plans(plan: Plan, fractions: Sequence[float]) -> list[Plan]:
    """Return the plan of each fraction of the training rows, ascending; val is the same in all.

    Fractions that come to the same rows as a smaller one are left out. There are no test rows.

    Raises:
        ManifestError: no part of whole groups has every class.
    """
    ascending = sorted(set(fractions))
    parts = nested_parts(plan.manifest, ascending, plan.settled.recipe.split.seed)
    plans: dict[int, Plan] = {}
    for fraction, rows in zip(ascending, parts, strict=True):
        chosen = plan.manifest.rows["split"].to_numpy() == "val"
        chosen[rows] = True
        manifest = plan.manifest.keep(chosen)
        name = f"{plan.name}-{100 * fraction:g}percent"
        plans.setdefault(len(rows), replace(plan, manifest=manifest, name=name))
    return list(plans.values())


def cross_validate(
    plan: Plan, folds: int, tracker: Tracker, progress: Progress, run_one: RunOne
) -> Repeated:
    """Run each fold, and judge what all of them said about the rows they never saw.

    The test rows of `plan` are in no run. Out-of-fold rows select nothing: each fold carves a val
    of its own out of the others. The interval is that of the pooled predictions, by group. What is
    judged by embeddings is judged fold by fold, and the scores are the means over the folds,
    without an interval: distances of one network say nothing beside those of another.

    Args:
        plan: of the parent.
        folds: how many, 2 or more.
        tracker: keeps the parent.
        progress: told of every fold.
        run_one: carries out the plan of a fold.

    Raises:
        TransferError: as a run does; the parent is closed first.
    """
    plans = fold_plans(plan, folds)
    compared = SCORECARDS[plan.judging.kind].by_embeddings
    parent = replace(without_test(plan), leaks=())
    logbook = Logbook(parent, tracker, log_pictures=False)
    with closing(tracker, plan.name):
        run_id = logbook.open({"transfer.folds": str(folds)})
        parts = run_all(plans, run_id, progress, run_one)
        table = table_of([{"fold": number + 1} for number in range(len(parts))], plans, parts)
        logbook.table("scores/folds.csv", table)
        scores: dict[str, float] = {}
        intervals: dict[str, Score] = {}
        for number, part in enumerate(parts, start=1):
            tracker.log({f"fold/{name}": value for name, value in part.test.items()}, step=number)
        if parts[-1].status == "FINISHED":
            said = {f"fold {n}": part.said["test"] for n, part in enumerate(parts, start=1)}
            if compared:
                intervals = _means([*said.values()], plan.judging)
                logbook.score_table(OUT_OF_FOLD, intervals)
            else:
                pooled = _pooled([*said.values()], parent.manifest)
                intervals = plan.judging.scores(pooled)
                logbook.scores(OUT_OF_FOLD, pooled, intervals)
                logbook.drawings(OUT_OF_FOLD, plan.judging.figures(pooled))
            logbook.predictions(said)
            scores = flat(intervals)
        logbook.card({OUT_OF_FOLD: intervals} if intervals else {}, ended=parts[-1].ended)
        return replace(finished(plan, tracker, parts, table, scores), pooled=not compared)


def learning_curve(
    plan: Plan, fractions: Sequence[float], tracker: Tracker, progress: Progress, run_one: RunOne
) -> Repeated:
    """Run each fraction of the training rows, judged on the same val; test is not looked at.

    Args:
        plan: of the parent.
        fractions: shares of the training rows, in (0, 1].
        tracker: keeps the parent.
        progress: told of every run.
        run_one: carries out the plan of a fraction.

    Raises:
        TransferError: as a run does; the parent is closed first.
    """
    plans, headline = fraction_plans(plan, fractions), plan.headline
    logbook = Logbook(without_test(plan), tracker, log_pictures=False)
    with closing(tracker, plan.name):
        run_id = logbook.open({"transfer.fractions": ",".join(f"{f:g}" for f in fractions)})
        parts = run_all(plans, run_id, progress, run_one)
        rows = [len(part.manifest.numbers("train")) for part in plans[: len(parts)]]
        for count, part in zip(rows, parts, strict=True):
            names = (headline, f"{headline}_low", f"{headline}_high")
            kept = {f"curve/{name}": part.val[name] for name in names if name in part.val}
            tracker.log(kept, step=count)
        table = table_of([{"rows": count} for count in rows], plans, parts)
        logbook.table("scores/curve.csv", table)
        ends = {"value": headline, "low": f"{headline}_low", "high": f"{headline}_high"}
        curve = {new: [part.val.get(old, np.nan) for part in parts] for new, old in ends.items()}
        drawn = data_curve(pd.DataFrame({"rows": rows, **curve}), headline)
        tracker.keep("figures/data_curve.png", drawn)
        logbook.card({}, ended=parts[-1].ended)
        return finished(plan, tracker, parts, table, {})


def without_test(plan: Plan) -> Plan:
    """Return the plan without its test rows."""
    keep = plan.manifest.rows["split"].to_numpy() != "test"
    return replace(plan, manifest=plan.manifest.keep(keep))


def run_all(
    plans: Sequence[Plan], parent: str, progress: Progress, run_one: RunOne
) -> list[RunResult]:
    """Carry out the plans in turn, up to the first that does not finish."""
    results: list[RunResult] = []
    for number, plan in enumerate(plans, start=1):
        counts = [len(plan.manifest.numbers(split)) for split in ("train", "val")]
        progress.say(
            f"part {number}/{len(plans)}   {plan.name}: train {counts[0]:,}, val {counts[1]:,}"
        )
        results.append(run_one(replace(plan, parent=parent)))
        if results[-1].status != "FINISHED":
            break
    return results


def _pooled(parts: Sequence[Predictions], manifest: Manifest) -> Predictions:
    """Return what all folds said as one, with the groups of `manifest` (folds number their own)."""
    first = parts[0]
    arrays = [f.name for f in fields(first) if isinstance(getattr(first, f.name), np.ndarray)]
    pooled: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays
    }
    group_of = dict(
        zip(manifest.rows["key"].tolist(), manifest.group_numbers().tolist(), strict=True)
    )
    pooled["groups"] = np.array([group_of[key] for key in pooled["keys"].tolist()], np.int64)
    facts = [part.facts for part in parts if part.facts is not None]
    pooled["facts"] = pd.concat(facts, ignore_index=True) if len(facts) == len(parts) else None
    return replace(first, **pooled, thresholds=None)  # each fold has its own


def _means(parts: Sequence[Predictions], judging: Judging) -> dict[str, Score]:
    """Return the mean of each score over the folds that define it, each fold judged by itself."""
    points = pd.DataFrame([point_scores(said, judging.scorer) for said in parts])
    note = "mean of {} folds, each judged by its own network's distances; no interval"
    return {
        str(name): Score(float(values.mean()), None, None, note.format(values.count()))
        for name, values in points.items()
    }


def table_of(
    heads: Sequence[Mapping[str, Any]], plans: Sequence[Plan], parts: Sequence[RunResult]
) -> pd.DataFrame:
    """Return a line for each run: what it is the part of, its rows, its name, id and scores."""
    lines = []
    for head, plan, part in zip(heads, plans[: len(parts)], parts, strict=True):
        counts = {f"{s}_rows": len(plan.manifest.numbers(s)) for s in ("train", "val", "test")}
        scores = {f"val/{name}": value for name, value in part.val.items()}
        scores |= {f"test/{name}": value for name, value in part.test.items()}
        about = {"run": part.name, "run_id": part.run_id, "status": part.status}
        lines.append({**head, **counts, **about, **scores})
    return pd.DataFrame(lines)


def finished(
    plan: Plan,
    tracker: Tracker,
    parts: Sequence[RunResult],
    table: pd.DataFrame,
    scores: dict[str, float],
) -> Repeated:
    """Close the parent as the last of its runs ended, and return what they found together."""
    last = parts[-1]
    return Repeated(
        run_id=tracker.finish(last.status),
        name=plan.name,
        status=last.status,
        ended=last.ended,
        scores=scores,
        table=table,
        parts=tuple(parts),
        shown=last.shown,
        notice=last.notice,
        audit=last.audit,
    )

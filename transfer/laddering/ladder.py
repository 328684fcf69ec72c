"""One ladder, top to bottom: what each backbone costs, what it reaches, which one is worth it."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from transfer.errors import RecipeError
from transfer.experiment import closing
from transfer.finetuning.devices import choose_compute
from transfer.laddering.attempts import Attempts, Means, Wishes
from transfer.laddering.choosing import choose, recommend
from transfer.laddering.figure import pareto
from transfer.laddering.lead import lead
from transfer.laddering.page import as_page
from transfer.laddering.result import Ladder
from transfer.laddering.rungs import Rung, fitting, other_recipes
from transfer.laddering.table import as_table
from transfer.logbook import Logbook, flat
from transfer.plan import Plan
from transfer.recipe import Strategy
from transfer.repeats import without_test
from transfer.tracking.environment import environment_tags
from transfer.tracking.tracker import NOTE_TAG, TEST_TAG

_SPLITS = ("train", "val", "calibration", "test")


def climb(plan: Plan, rungs: Sequence[Rung], wishes: Wishes, means: Means) -> Ladder:
    """Try each rung on the rows of `plan`; val chooses one, and that one alone is seen on test.

    First all are measured, then all are probed; those from scratch are trained; then the most
    promising are fine-tuned.

    Args:
        plan: of the parent: rows, split, and the recipe that each rung has but for its backbone.
        rungs: in order.
        wishes: limits and time.
        means: who does it.

    Raises:
        RecipeError: rungs shall be fine-tuned by a strategy that does not.
        TransferError: as a run does; the parent is closed first.
    """
    recipe, tracker = plan.settled.recipe, means.tracker
    idle = recipe.strategy in {Strategy.PROBE, Strategy.SCRATCH}
    if idle and wishes.most_finetunes and not all(rung.is_from_scratch for rung in rungs):
        raise RecipeError(
            f"strategy = {recipe.strategy.value} fine-tunes nothing; take another, or leave "
            "--finetune and --budget out: rungs are probed in any case"
        )
    parent = without_test(plan)
    logbook = Logbook(parent, tracker, log_pictures=False)
    with closing(tracker, plan.name):
        run_id = logbook.open({"transfer.ladder": ",".join(rung.name for rung in rungs)})
        of_each = replace(parent, parent=run_id)
        attempts = Attempts(of_each, fitting(rungs, recipe.size), wishes, means)
        try:
            attempts.measure()
            attempts.try_all()
        except KeyboardInterrupt:  # what was finished is told all the same
            attempts.ended = "interrupted"
        found = _chosen(plan, attempts, wishes, means)
        if found.chosen is not None and not found.ended and len(plan.manifest.numbers("test")):
            found = _seen_on_test(found, plan, attempts, means, logbook)
        found = replace(found, name=plan.name, seconds=attempts.budget.spent)
        _keep(found, logbook, means)
        return replace(found, run_id=tracker.finish("KILLED" if found.ended else "FINISHED"))


def _chosen(plan: Plan, attempts: Attempts, wishes: Wishes, means: Means) -> Ladder:
    """Return what val says, and whether that is more than chance."""
    climbed, limits = attempts.climbed, wishes.limits
    chosen = choose(climbed, limits)
    count = sum(len(one.tried) for one in climbed)
    notes = [
        f"val chose among {count} networks, so that its score flatters the one that it chose; "
        "test does not"
        if count > 1
        else "",
        other_recipes([one.rung for one in climbed]),
    ]
    return Ladder(
        task=plan.task.name,
        headline=plan.headline,
        size=plan.settled.recipe.size,
        rows={split: len(plan.manifest.numbers(split)) for split in _SPLITS},
        machine=_machine(plan),
        climbed=tuple(climbed),
        recommendation=recommend(chosen, climbed, limits),
        chosen=chosen.rung.name if chosen is not None else None,
        lead=lead(chosen, climbed, limits, plan, attempts.results, means.progress),
        most_ms=limits.latency_ms,
        notes=tuple(filter(None, notes)),
        notice=plan.task.notice,
        shown=(plan.headline, *plan.judging.shown),
        ended=attempts.ended,
    )


def _machine(plan: Plan) -> str:
    """Return in words what the costs were measured on."""
    tags = environment_tags()
    computing = choose_compute(plan.settled.recipe.machine).describe()
    return f"{tags['machine.processor']}; {computing}"


def _seen_on_test(
    found: Ladder, plan: Plan, attempts: Attempts, means: Means, logbook: Logbook
) -> Ladder:
    """Return `found` with the scores of the chosen on test, which nobody has looked at before."""
    (chosen,) = (one for one in attempts.climbed if one.rung.name == found.chosen)
    if chosen.best is None:
        return found
    seen = means.judge(attempts.results[chosen.best.run_id], plan)
    means.tracker.tag({TEST_TAG: plan.manifest.digest("test")})
    logbook.scores("test", seen.predictions, seen.scores)
    logbook.drawings("test", plan.judging.figures(seen.predictions))
    logbook.predictions({"test": seen.predictions})
    return replace(found, test=flat(seen.scores))


def _keep(found: Ladder, logbook: Logbook, means: Means) -> None:
    """Keep what was found in the parent: table, figure, page, JSON, and in words."""
    tracker, table = means.tracker, pd.DataFrame(as_table(found))
    logbook.table("scores/ladder.csv", table)
    tracker.keep("ladder.json", json.dumps(found.as_json(), indent=1).encode())
    tracker.keep("ladder.html", as_page(found).encode())
    known = [one for one in found.climbed if one.best is not None and one.footprint is not None]
    if known:
        drawn = pareto(known, found.headline, found.chosen, found.most_ms)
        tracker.keep("figures/ladder.png", drawn)
    for number, one in enumerate(known):
        if one.best is not None and one.footprint is not None:
            numbers = {found.headline: one.best.value, "latency_ms": one.footprint.latency_ms}
            tracker.log({f"ladder/{name}": value for name, value in numbers.items()}, step=number)
    words = [found.recommendation, found.lead, *found.notes]
    tracker.tag({NOTE_TAG: "\n\n".join(filter(None, words))})

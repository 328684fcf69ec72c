"""ONE RUN, top to bottom: from a plan to a scored network in the run store."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from transfer.assembly import Place, assemble
from transfer.continuation import Card, Continuation, card_of
from transfer.finetuning.devices import Compute, choose_compute
from transfer.finetuning.ending import Ending
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.joint import start_alike
from transfer.finetuning.lesson import Host, Learned
from transfer.finetuning.strategies import learn
from transfer.finetuning.training import EpochLog
from transfer.logbook import Logbook, flat
from transfer.network.backbone import Network
from transfer.plan import Plan
from transfer.processes import Processes
from transfer.progress import Progress
from transfer.rows import Rows
from transfer.samples.leaks import CLEAN
from transfer.samples.predictions import Predictions
from transfer.scoring.intervals import Score
from transfer.shipping.model_files import ModelCard, write_model
from transfer.tracking.tracker import Status, Tracker

_STATUS: dict[Ending, Status] = {
    Ending.COMPLETED: "FINISHED",
    Ending.STALE: "FINISHED",
    Ending.STOPPED: "KILLED",
    Ending.INTERRUPTED: "KILLED",
    Ending.TERMINATED: "KILLED",
    Ending.DIVERGED: "FAILED",
}


@dataclass(frozen=True)
class RunResult:
    """What one run found.

    Attributes:
        run_id: of the run in its store.
        name: what people call it.
        task: name of its task.
        status: FINISHED, KILLED (interrupted, or stopped by who heard of its epochs) or FAILED
            (diverged); the best weights were kept, unless it was stopped.
        ended: how training ended, in words.
        digest: names the rows with their labels, groups and splits.
        epoch: whose weights were kept; 0 is the probe.
        val: scores of the rows that selected, with `_low` and `_high` where there is an interval.
        test: scores of the rows that were looked at once, now; empty unless FINISHED.
        said: what was said row by row, by split.
        shown: the scores that tell most, the one that selected first.
        notice: what the task wants everyone to know who reads its scores.
        audit: "clean", or what is wrong with the rows that the scores are of.
    """

    run_id: str
    name: str
    task: str
    status: Status
    ended: str
    digest: str
    epoch: int
    val: Mapping[str, float]
    test: Mapping[str, float]
    said: Mapping[str, Predictions] = field(default_factory=dict, repr=False, compare=False)
    shown: tuple[str, ...] = ()
    notice: str = ""
    audit: str = CLEAN


def run(
    plan: Plan, tracker: Tracker, progress: Progress, place: Place, *, log_pictures: bool
) -> RunResult:
    """Carry out `plan`: build the network, teach it, judge it, keep it.

    Args:
        plan: task, recipe and rows.
        tracker: keeps the record.
        progress: told of everything that takes time.
        place: where weights and checkpoints are.
        log_pictures: pictures of the data may go into the record.

    Raises:
        TransferError: a setting, a file or the training gave out; the message says what to do.
        KeyboardInterrupt: before there were weights worth keeping.
    """
    processes = place.processes
    recipe = processes.first(lambda: place.decided(plan.settled.recipe))
    compute, interruption = choose_compute(recipe.machine, processes), Interruption(processes)
    rows = _rows_on_disk(plan, compute, progress)
    lesson = rows.lesson()
    network, weights = assemble(plan, rows, place, progress)
    logbook = Logbook(plan, tracker, log_pictures=log_pictures)
    progress.say(f"computing  {compute.describe()}")
    network.to(compute.device)
    start_alike(network, recipe.seed, processes)
    card = card_of(
        plan,
        compute.settings(),
        network,
        weights=weights,
        log_pictures=log_pictures,
        processes=processes.share.size,
    )
    # In this order: a launcher that misses one process tells the others to end, and the record of
    # the first one has to be closed all the same.
    with interruption.heeded(), closing(tracker, plan.name):
        kept = processes.first(lambda: _begin(plan, rows, logbook, place, card, compute))
        hear, decide = _hear(logbook, plan, progress, place), _decide(logbook, kept, processes)
        host = Host(compute, progress, hear, kept.checkpoints, interruption, decide)
        learned = learn(network, lesson, recipe, host)
        processes.first(lambda: logbook.curves(learned.epoch, learned.ended))
        said = rows.judge(network, learned)

        def finish() -> RunResult:
            scores = _scored(said, plan, rows, logbook, learned)
            if said:
                model = _card(plan, network, said["val"])
                tracker.keep_model(partial(write_model, network=network, card=model))
            status = _STATUS[learned.ended.ending]
            if status == "FAILED" or plan.parent is not None:
                kept.checkpoints.remove()  # it would go wrong again, or is not continued alone
            return _result(plan, learned, scores, said, tracker.finish(status))

        result = processes.first(finish)
    if result.status == "FINISHED":
        processes.first(kept.checkpoints.remove)
    return result


def _rows_on_disk(plan: Plan, compute: Compute, progress: Progress) -> Rows:
    """Return the rows of `plan`, their pixels mapped from disk as far as there is room."""
    rows = Rows(plan, compute, progress)
    compute.processes.in_turn(rows.map_pixels)
    return rows


def _begin(
    plan: Plan, rows: Rows, logbook: Logbook, place: Place, card: Card, compute: Compute
) -> Continuation:
    """Open the record of a run, and keep what it needs to be continued."""
    tags = {"transfer.weights": card.weights, "transfer.compute": compute.describe()}
    record = logbook.open(tags, place.continued.record if place.continued else None)
    kept = place.continued or Continuation.begin(place.checkpoints(record), card, plan.manifest)
    logbook.views(rows.pictures, rows.views, plan.manifest.numbers("train"))
    return kept


def _result(
    plan: Plan,
    learned: Learned,
    scores: Mapping[str, Mapping[str, Score]],
    said: Mapping[str, Predictions],
    run_id: str,
) -> RunResult:
    return RunResult(
        run_id=run_id,
        name=plan.name,
        task=plan.task.name,
        status=_STATUS[learned.ended.ending],
        ended=_in_words(learned),
        digest=plan.manifest.digest(),
        epoch=learned.epoch,
        val=flat(scores.get("val", {})),
        test=flat(scores.get("test", {})),
        said=said,
        shown=(plan.headline, *plan.judging.shown),
        notice=plan.task.notice,
        audit=plan.audit,
    )


def _in_words(learned: Learned) -> str:
    return ": ".join(filter(None, (learned.ended.ending, learned.ended.where)))


def _scored(
    said: Mapping[str, Predictions], plan: Plan, rows: Rows, logbook: Logbook, learned: Learned
) -> dict[str, dict[str, Score]]:
    """Return the scores of what was said, by split, and keep all of it."""
    scores = {split: rows.judging.scores(predictions) for split, predictions in said.items()}
    for split, predictions in said.items():
        logbook.scores(split, predictions, scores[split], learned.epoch)
        logbook.drawings(split, rows.judging.figures(predictions))
    if "test" in said:
        logbook.mistakes(rows.pictures, plan.manifest.numbers("test"), said["test"])
    if said:
        logbook.predictions(said)
    logbook.card(scores, ended=_in_words(learned), epoch=learned.epoch if said else None)
    return scores


def _card(plan: Plan, network: Network, decided: Predictions) -> ModelCard:
    recipe = plan.settled.recipe
    return ModelCard(
        task=plan.task.name,
        target=plan.manifest.target.value,
        classes=plan.manifest.learned,
        backbone=network.name,
        mean=network.normalization.mean,
        std=network.normalization.std,
        head={**recipe.head.model_dump(mode="json"), "stages": network.stages},
        own_reader=not plan.task.reads_as_all(recipe.bands),
        recipe=recipe.model_dump(mode="json"),
        thresholds=decided.thresholds,
        decisions=decided.decisions,
        side_px=plan.side_px,
    )


def _decide(
    logbook: Logbook, kept: Continuation, processes: Processes
) -> Callable[[str, float], None]:
    """Return what keeps a setting that was found by trial."""

    def keep(name: str, value: float) -> None:
        logbook.decision(name, value)  # first: what is not kept yet is found again, and told again
        kept.decide(name, value)

    return lambda name, value: processes.first(lambda: keep(name, value))


def _hear(
    logbook: Logbook, plan: Plan, progress: Progress, place: Place
) -> Callable[[EpochLog], None]:
    """Return what listens to epochs: it keeps and shows each of them."""
    headline, before = plan.headline, time.perf_counter()
    epochs = plan.settled.recipe.passes(len(plan.manifest.numbers("train")))

    def hear(log: EpochLog) -> None:
        nonlocal before
        logbook.epoch(log)
        what = f"epoch {log.epoch}/{epochs}" if log.epoch else "probe"
        score = f"val {headline} {log.scores[headline]:.4f}{'  best' if log.improved else ''}"
        speed = f"{log.rows_per_second:,.0f} images/s" if log.rows_per_second else "features kept"
        now = time.perf_counter()
        left, before = (now - before) * (epochs - log.epoch), now
        rest = f"  {left:,.0f} s left" if log.epoch else ""
        progress.say(f"{what:<10} loss {log.loss:.3f}  {score}  {speed}{rest}")
        place.watch(log)

    return hear


@contextmanager
def closing(tracker: Tracker, name: str) -> Iterator[None]:
    """Close the run as what it was if it ends before its time; an interrupt learns its name."""
    try:
        yield
    except KeyboardInterrupt as signal:
        signal.args = signal.args or (name,)
        tracker.finish("KILLED")
        raise
    except BaseException:
        tracker.finish("FAILED")
        raise

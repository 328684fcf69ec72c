"""Which run is better? Answers to the same rows, laid side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from transfer.comparing.answers import check_alike, read_answers
from transfer.comparing.contender import Contender, make_contender
from transfer.comparing.contest import Contest, judging_of_run
from transfer.comparing.gaps import Gap, holm
from transfer.comparing.record import keep
from transfer.comparing.result import Comparison, Pair, Side
from transfer.comparing.words import FEWEST_SEEDS, verdict
from transfer.errors import ComparisonError
from transfer.plugin.discovery import load_task
from transfer.plugin.task import Task
from transfer.progress import Progress, Silent
from transfer.samples.leaks import CLEAN
from transfer.tracking.runs import find_run, runs_on_test
from transfer.tracking.store import DEFAULT_OUT, Store, open_store
from transfer.tracking.tracker import AUDIT_TAG, TEST_TAG

SPLITS = ("val", "test")
_FEWEST, _ID = 2, 8
_ABOUT_VAL = (
    "these val rows also picked the epoch of each run, so that its scores flatter it, most of all "
    "where a run was chosen by them; --on test is the last claim"
)


@dataclass(frozen=True, eq=False)
class Compared:
    """A comparison, and what it was made from.

    Attributes:
        found: what there is to say.
        contenders: in the order given.
        task: whose data they answered.
        store: where their runs are.
    """

    found: Comparison
    contenders: tuple[Contender, ...]
    task: Task
    store: Store


def compare(
    *contenders: str | Sequence[str],
    on: str = "val",
    store: Path | str = DEFAULT_OUT,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Say which run is better, by how much, and whether that is more than chance.

    Each contender is compared with each, and the comparison is kept in the store as a run that
    `transfer runs` does not list.

    Args:
        contenders: a run each (its name, its id or the start of it, or "last"), or the runs of one
            recipe on different seeds.
        on: "val", whose rows also selected, or "test", the last claim.
        store: folder of the run store.
        tracking_uri: of the tracking server, where the store is not in that folder.
        progress: told what takes time; unset is silent.

    Raises:
        ComparisonError: the runs did not answer the same rows.
        RunNotFoundError: no such run.
        StoreError: the store cannot be read.
    """
    told = progress or Silent()
    wanted = [[one] if isinstance(one, str) else list(one) for one in contenders]
    compared = compare_runs(wanted, on, open_store(Path(store), tracking_uri), told)
    return keep_comparison(compared, told)


def compare_runs(
    wanted: Sequence[Sequence[str]], on: str, store: Store, progress: Progress
) -> Compared:
    """Compare contenders, each given by the names of its runs; nothing is written.

    Raises:
        ComparisonError, RunNotFoundError, StoreError: see `compare`.
    """
    if on not in SPLITS:
        raise ComparisonError(f"runs are compared on {' or '.join(SPLITS)}, not on {on!r}")
    if len(wanted) < _FEWEST:
        raise ComparisonError("one contender alone is the better one; name two or more")
    contenders = [
        make_contender([read_answers(store, find_run(store, run), on) for run in names])
        for names in wanted
    ]
    contenders = _told_apart(contenders)
    answers = [one for contender in contenders for one in contender.answers]
    check_alike(answers)
    looked = _looked(store, contenders) if on == "test" else None
    first = answers[0]
    task = load_task(first.run.experiment)
    judging = judging_of_run(store, first.run, task, first.said.kind)
    contest = Contest(contenders, on, judging, progress)
    return Compared(_found(contest, looked, task.notice), tuple(contenders), task, store)


def keep_comparison(compared: Compared, progress: Progress) -> Comparison:
    """Keep a comparison in the store; return it with the id that it has there."""
    runs = [run for contender in compared.contenders for run in contender.runs]
    return replace(compared.found, run_id=keep(compared.found, runs, compared.store, progress))


def _told_apart(contenders: Sequence[Contender]) -> list[Contender]:
    """Return the contenders, those that share a name and no run with the start of their ids."""
    runs_of_name: dict[str, set[str]] = {}
    for one in contenders:
        runs_of_name.setdefault(one.name, set()).add(one.runs[0].run_id)
    return [
        replace(one, name=f"{one.name} ({one.runs[0].run_id[:_ID]})")
        if len(runs_of_name[one.name]) > 1
        else one
        for one in contenders
    ]


def _looked(store: Store, contenders: Sequence[Contender]) -> int:
    """Return of how many runs somebody has seen scores on the test rows of these."""
    compared = {run.record_id: run for one in contenders for run in one.runs}
    digests = {run.tags[TEST_TAG] for run in compared.values() if TEST_TAG in run.tags}
    seen = {run.record_id for digest in digests for run in runs_on_test(store, digest)}
    return len(seen | set(compared))


def _found(contest: Contest, looked: int | None, notice: str) -> Comparison:
    contenders = contest.contenders
    pairs = list(combinations(contenders, 2))
    compared = {run.record_id for one in contenders for run in one.runs}
    family = len(pairs) + max(0, (looked or 0) - len(compared))
    gaps = _corrected([contest.gaps(first, second) for first, second in pairs], family)
    first = contenders[0].answers[0]
    return Comparison(
        task=first.run.experiment,
        split=contest.split,
        headline=contest.headline,
        rows=len(first.said),
        groups=contest.groups,
        sides=tuple(_side(contest, one) for one in contenders),
        pairs=tuple(
            _pair(contest, *pair, of_pair, family)
            for pair, of_pair in zip(pairs, gaps, strict=True)
        ),
        family=family,
        looked=looked,
        notes=(
            _about_split(contest.split, looked, family),
            *_about_leaks(contenders),
            *_about_tasks(contenders),
            *_about_seeds(contenders),
            *contest.notes,
        ),
        notice=notice,
    )


def _corrected(of_pairs: Sequence[Sequence[Gap]], family: int) -> list[tuple[Gap, ...]]:
    """Return the gaps of each pair, the p-values of each score corrected over all pairs."""
    of_scores = []
    for of_score in zip(*of_pairs, strict=True):
        known = [number for number, gap in enumerate(of_score) if gap.p is not None]
        values = holm([p for gap in of_score if (p := gap.p) is not None], family)
        corrected = dict(zip(known, values, strict=True))
        of_scores.append(
            [replace(gap, corrected=corrected.get(number)) for number, gap in enumerate(of_score)]
        )
    return list(zip(*of_scores, strict=True))


def _pair(
    contest: Contest, first: Contender, second: Contender, gaps: tuple[Gap, ...], family: int
) -> Pair:
    only_first, only_second = contest.alone(first, second)
    about = contest.circumstances(first, second, family)
    return Pair(
        first=first.name,
        second=second.name,
        claim=about.claim,
        gaps=gaps,
        verdict=verdict(gaps[0], about),
        tests=contest.tests(first, second),
        only_first=only_first,
        only_second=only_second,
    )


def _side(contest: Contest, contender: Contender) -> Side:
    runs = contender.runs
    ends: list[float | None] = [None, None]
    if len(runs) == 1:
        name = f"{contest.split}/{contest.headline}"
        ends = [runs[0].metrics.get(f"{name}{end}") for end in ("_low", "_high")]
    return Side(
        name=contender.name,
        runs=tuple(run.name for run in runs),
        run_ids=tuple(run.run_id for run in runs),
        scores=contest.scores(contender),
        low=ends[0],
        high=ends[1],
    )


def _about_split(split: str, looked: int | None, family: int) -> str:
    if split == "val":
        return _ABOUT_VAL
    seen = f"{looked} run(s) of this store have been looked at on these test rows"
    if family == 1:
        return seen
    return f"{seen}; p-values are corrected for the {family} comparisons that could be chosen from"


def _about_leaks(contenders: Sequence[Contender]) -> list[str]:
    """Return a line for each contender of whose rows a run says that something is wrong."""
    of_sides = {
        one.name: dict.fromkeys(run.tags.get(AUDIT_TAG, CLEAN) for run in one.runs)
        for one in contenders
    }
    return [
        f"{name}: {said}; its scores look better than they are"
        for name, verdicts in of_sides.items()
        for said in verdicts
        if said != CLEAN
    ]


def _about_tasks(contenders: Sequence[Contender]) -> list[str]:
    tasks = list(dict.fromkeys(run.experiment for one in contenders for run in one.runs))
    if len(tasks) == 1:
        return []
    return [f"these are runs of {' and '.join(tasks)}; all are judged as {tasks[0]} judges"]


def _about_seeds(contenders: Sequence[Contender]) -> list[str]:
    several = [one for one in contenders if len(one.answers) > 1]
    notes = [doubt for one in several for doubt in one.doubts()]
    if several and (few := [one.name for one in contenders if len(one.answers) < FEWEST_SEEDS]):
        notes.append(
            f"{', '.join(few)}: under {FEWEST_SEEDS} seeds nobody can tell a recipe from its luck; "
            "the trained models are compared as they are"
        )
    return notes

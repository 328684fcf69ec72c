"""A run gets a name: only one whose rows are clean, and that is better than who has it now."""

from dataclasses import dataclass

from transfer.comparing.compare import compare_runs
from transfer.errors import ComparisonError, PromotionError
from transfer.progress import Progress
from transfer.promotion.parcel import packed
from transfer.samples.leaks import CLEAN
from transfer.tracking.registry import check_names, register, run_of_alias
from transfer.tracking.runs import find_run, model_folder
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun
from transfer.tracking.tracker import AUDIT_TAG

_FORCE = "--force promotes it all the same, and the registry will say so"


@dataclass(frozen=True)
class Promoted:
    """A version of a registered model.

    Attributes:
        name, alias, version: of the model.
        run: name of its run.
        why: what let it pass, or what it was forced against.
        forced: nothing showed that it is fit.
    """

    name: str
    alias: str
    version: str
    run: str
    why: str
    forced: bool

    @property
    def address(self) -> str:
        """What MLflow loads it by."""
        return f"models:/{self.name}@{self.alias}"


def promote(
    store: Store,
    run: str,
    alias: str,
    progress: Progress,
    *,
    name: str | None = None,
    force: bool = False,
) -> Promoted:
    """Register the model of `run` under `name`, its task's unless given, and give it `alias`.

    Raises:
        PromotionError: its audit is missing or found leaks, or it is not shown to be better on the
            test rows than the run that has the alias; and nobody forced it.
        TransferError: the run, its model or the store cannot be read.
    """
    found = find_run(store, run)
    name = name or found.experiment
    check_names(name, alias)
    _check_delivered(found)
    files = model_folder(store, found)
    doubts, why = list[str](), list[str]()
    for judge in (_of_audit, lambda one: _of_champion(store, one, f"{alias}:{name}", progress)):
        passed, words = judge(found)
        (why if passed else doubts).append(words)
    if doubts and not force:
        raise PromotionError(f"{found.name} is not promoted: {'; '.join(doubts)}. {_FORCE}")
    tags = {AUDIT_TAG: found.tags.get(AUDIT_TAG, "not audited"), "transfer.why": "; ".join(why)}
    if doubts:
        tags["transfer.forced"] = "; ".join(doubts)
    with packed(files, found.experiment) as parcel:
        version = register(store, found.run_id, name, alias, parcel, tags)
    return Promoted(name, alias, version, found.name, "; ".join(doubts or why), bool(doubts))


def _check_delivered(run: StoredRun) -> None:
    if run.is_local:
        raise PromotionError(f"{run.name} is not in the store yet; transfer store sync sends it")


def _of_audit(run: StoredRun) -> tuple[bool, str]:
    """Return whether the rows of `run` are clean, and what to say of that."""
    audit = run.tags.get(AUDIT_TAG)
    if audit is None:
        return False, (
            "its rows were not audited; a run made by this version says what its audit found: "
            "transfer fit once more"
        )
    return audit == CLEAN, f"audit: {audit}"


def _of_champion(store: Store, run: StoredRun, holder: str, progress: Progress) -> tuple[bool, str]:
    """Return whether `run` is shown to be better than who has the alias, and the verdict."""
    held_by = run_of_alias(store, holder)
    if held_by is None:
        return True, f"the first {holder}"
    if held_by in run.ids:
        raise PromotionError(f"{run.name} is {holder} already")
    try:
        (pair,) = compare_runs([[held_by], [run.run_id]], "test", store, progress).found.pairs
    except ComparisonError as error:
        return False, (
            f"it cannot be compared with {holder}: {error}; transfer fit --split {holder} "
            "takes the rows of that one"
        )
    better = pair.headline.second_leads and pair.headline.is_reliable
    return better, f"on test against {holder}: {pair.verdict}"

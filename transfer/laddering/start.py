"""From names to a ladder: what `transfer.ladder` and the command line share."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from transfer.budget import parse_seconds
from transfer.errors import ProcessError, RecipeError, WeightsError
from transfer.experiment import RunResult
from transfer.laddering.attempts import Means, Wishes
from transfer.laddering.choosing import Limits
from transfer.laddering.footprint import measure_footprint
from transfer.laddering.ladder import climb
from transfer.laddering.result import Ladder
from transfer.laddering.rungs import LADDER, Rung, find_rungs
from transfer.network.pretrained import PREFERRED_TAG
from transfer.plan import Plan
from transfer.processes import share_of_launch
from transfer.progress import Progress, Silent
from transfer.shipping.evaluation import Evaluation, evaluate_rows
from transfer.shipping.predictor import Predictor
from transfer.start import Request, prepared, runner
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.runs import find_run, model_folder
from transfer.tracking.store import Store

_DOORS = {None: False, "auto": False, "hub": True}


def ladder(  # each by its name
    request: Request,
    *,
    backbones: Sequence[str] = LADDER,
    from_scratch: Sequence[str] = (),
    tag: str = PREFERRED_TAG,
    wishes: Wishes | None = None,
    progress: Progress | None = None,
) -> Ladder:
    """Try backbones on the same rows, and say which of them is worth its cost.

    Args:
        request: task, data and settings; its `weights` are auto, those on this machine, or hub,
            which downloads what is missing.
        backbones: timm's names, with or without a tag.
        from_scratch: backbones that are trained from nothing, as plain twins are.
        tag: of the weights of a name without one, so that all were made by one recipe.
        wishes: limits, how many are fine-tuned, and how long it may take.
        progress: told what happens; unset is silent.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    heard, wished = progress or Silent(), wishes or Wishes()
    if share_of_launch().size > 1:
        raise ProcessError("a ladder measures one process at a time; start it without torchrun")
    weights = request.everyday.get("weights")
    if weights not in _DOORS:
        raise RecipeError(
            f"weights = {weights!r}: a ladder has many backbones, each with its own; take auto "
            "(those on this machine) or hub (downloaded)"
        )
    rungs = find_rungs(backbones, from_scratch, tag, download=_DOORS[weights])
    _say(rungs, heard)
    asked = _with_backbone(request, _first(rungs))
    plan, store = prepared(asked, heard)
    means = Means(
        run_one=runner(asked, store, heard),
        measure=measure_footprint,
        judge=partial(_judge, store=store, progress=heard),
        tracker=MlflowTracker(store, heard.warn),
        progress=heard,
    )
    return climb(plan, rungs, wished, means)


def wishes_of(
    max_latency_ms: float | None, max_params: str | None, finetune: int | None, budget: str | None
) -> Wishes:
    """Return what the options of the command line ask for.

    Raises:
        RecipeError: a budget or a number of parameters that is none.
    """
    seconds = parse_seconds(budget) if budget is not None else None
    parameters = _parse_count(max_params) if max_params is not None else None
    return Wishes(Limits(max_latency_ms, parameters), finetune, seconds)


def _parse_count(text: str) -> int:
    number, factor = (text[:-1], 1e6) if text[-1:] in {"M", "m"} else (text, 1.0)
    try:
        count = round(float(number) * factor)
    except ValueError:
        count = 0
    if count < 1:
        raise RecipeError(f"--max-params {text!r}: write a number, or millions as in 25M")
    return count


def _first(rungs: Sequence[Rung]) -> Rung:
    """Return the rung whose size all share: one with ImageNet weights if there is one."""
    here = [rung for rung in rungs if not rung.missing]
    if not here:
        missing = "\n  ".join(rung.missing for rung in rungs)
        raise WeightsError(
            f"none of {len(rungs)} backbones can be tried\n  {missing}\nchoose --weights hub (timm "
            "downloads them), or --scratch NAMES (trained from nothing)"
        )
    return min(here, key=lambda rung: ("hub", "starter", "none").index(rung.weights))


def _with_backbone(request: Request, rung: Rung) -> Request:
    """Return the request of the plan that all rungs share but for their backbone."""
    everyday = {**request.everyday, "backbone": rung.backbone}
    if rung.is_from_scratch:
        everyday |= {"strategy": "scratch", "weights": None}
    return replace(request, everyday=everyday, name=request.name or "ladder")


def _say(rungs: Sequence[Rung], progress: Progress) -> None:
    here = [rung.name for rung in rungs if not rung.missing]
    progress.say(f"ladder     {len(here)} of {len(rungs)} backbones: {', '.join(here)}")
    for rung in rungs:
        if rung.missing:
            progress.say(f"           left out: {rung.name}, {rung.missing}")


def _judge(result: RunResult, plan: Plan, *, store: Store, progress: Progress) -> Evaluation:
    """Return what the network of a run reaches on the test rows of `plan`."""
    predictor = Predictor.from_folder(model_folder(store, find_run(store, result.run_id)))
    test = plan.manifest.rows["split"].to_numpy() == "test"
    return evaluate_rows(predictor, plan.task, plan.manifest.keep(test), progress)

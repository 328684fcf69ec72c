"""What a run came to, for a person: scores, where it is, and what to type next."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from transfer.cli.console import ERR, OUT
from transfer.processes import share_of_launch
from transfer.tracking.door import without_password

if TYPE_CHECKING:
    from transfer.experiment import RunResult
    from transfer.repeats import Repeated

_INTERRUPTED, _TERMINATED, _FAILED = 130, 143, 2  # of signals: 128 and their number
_SHOWN = (
    "balanced_accuracy", "macro_ap", "macro_auroc", "quadratic_kappa", "mean_absolute_error",
    "rank_1", "eer", "accuracy", "macro_f1", "kappa", "log_loss", "ece",
)  # fmt: skip


@contextmanager
def resumable(out: Path, tracking_uri: str | None) -> Iterator[None]:
    """Say how a run goes on that was interrupted before it had any weights worth keeping.

    Raises:
        typer.Exit: there is such a run.
    """
    try:
        yield
    except KeyboardInterrupt as signal:
        if not signal.args:
            raise
        name = shlex.quote(str(signal.args[0]))
        ERR.print("killed     before there were weights to keep. To go on:")
        ERR.print(f"           {_resume(name)}{options_for('--out', out, tracking_uri)}")
        ended = _TERMINATED if type(signal).__name__ == "Terminated" else _INTERRUPTED
        raise typer.Exit(ended) from signal


def tell(result: "RunResult", out: Path, tracking_uri: str | None) -> None:
    """Print what a run found, where it is, and what to type next; exit as it ended.

    Raises:
        typer.Exit: it ended before its time.
    """
    from transfer.tracking.store import open_store  # noqa: PLC0415  # loaded with the run

    for split, scores in (("val", result.val), ("test", result.test)):
        if scores:
            OUT.print(f"{split:<10} {scores_line(scores, result.shown)}")
    _warn_with(result)
    kept = "the probe" if result.epoch == 0 else f"epoch {result.epoch}"
    opened = open_store(out, tracking_uri)
    place = out if opened.database else opened.address
    OUT.print(f"run        {result.name} ({result.run_id}) in {place}, weights of {kept}")
    name, again = shlex.quote(result.name), f"transfer fit {result.task} --data YOUR/FOLDER"
    into, store = (options_for(option, out, tracking_uri) for option in ("--out", "--store"))
    if result.status == "FINISHED":
        OUT.print(f"next       transfer ui{store}   transfer runs{store}")
        OUT.print(f"           transfer predict {name} PICTURE{store}")
        OUT.print(f"           {again}{into}")
        return
    ERR.print(f"{result.status.lower():<10} {result.ended}")
    ERR.print("           the test rows were not looked at. To go on from here:")
    if result.status == "KILLED":
        ERR.print(f"           {_resume(name)}{into}")
    else:
        ERR.print(f"           {again} --weights {name} --lr SMALLER{into}")
    raise typer.Exit(_code(result))


def tell_repeated(result: "Repeated", out: Path, tracking_uri: str | None) -> None:
    """Print what several runs found together; exit as the last of them ended.

    Raises:
        typer.Exit: it ended before its time.
    """
    for part in result.parts:
        OUT.print(f"{part.name}  {scores_line(part.test or part.val, part.shown)}")
    if result.scores:
        how = "pooled" if result.pooled else "mean"
        OUT.print(f"{how:<10} {scores_line(result.scores, result.shown)}")
    _warn_with(result)
    runs = f"{len(result.parts)} runs below it; the test rows were not looked at"
    OUT.print(f"run        {result.name} ({result.run_id}), {runs}")
    if result.status != "FINISHED":
        ERR.print(f"{result.status.lower():<10} {result.ended}")
        raise typer.Exit(_code(result))
    OUT.print(f"next       transfer ui{options_for('--store', out, tracking_uri)}")


def _resume(name: str) -> str:
    """Return the command that goes on with a run, by as many processes as began it."""
    size = share_of_launch().size
    launcher = f"torchrun --nproc-per-node {size} -m " if size > 1 else ""
    return f"{launcher}transfer resume {name}"


def _warn_with(result: "RunResult | Repeated") -> None:
    from transfer.samples.leaks import CLEAN  # noqa: PLC0415  # loaded with the run

    if result.audit != CLEAN:
        OUT.print(f"audit      {result.audit}; these scores look better than they are")
    if result.notice:
        OUT.print(f"notice     {result.notice}")


def _code(result: "RunResult | Repeated") -> int:
    """Return the exit code of what ended before its time."""
    if result.status != "KILLED":
        return _FAILED
    return _TERMINATED if result.ended.startswith("terminated") else _INTERRUPTED


def scores_line(scores: Mapping[str, float], first: Sequence[str]) -> str:
    """Return scores with their intervals in one line, those of `first` first."""
    shown = [name for name in dict.fromkeys((*first, *_SHOWN)) if name in scores]
    parts = []
    for name in shown:
        ends = ""
        if f"{name}_low" in scores:
            ends = f" [{scores[f'{name}_low']:.3f}, {scores[f'{name}_high']:.3f}]"
        if not math.isnan(scores[name]):
            parts.append(f"{name} {scores[name]:.3f}{ends}")
    if unsaid := [name for name in shown if math.isnan(scores[name])]:
        parts.append(f"(no {', '.join(unsaid)}: too few; their notes in scores/ say of what)")
    return "  ".join(parts)


def options_for(option: str, out: Path, tracking_uri: str | None) -> str:
    """Return the options of a command that find a run store, `option` among them; "" of ours.

    A password in the URI is left out: it does not belong on a screen.
    """
    options = "" if out == Path("mlruns") else f" {option} {shlex.quote(str(out))}"
    if tracking_uri:
        options += f" --tracking-uri {shlex.quote(without_password(tracking_uri))}"
    return options

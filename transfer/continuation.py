"""What a run leaves behind so that it can be continued, and what must be the same then."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from transfer.errors import CheckpointError, OutputError
from transfer.finetuning.checkpoint import Checkpoints
from transfer.network.backbone import Network, Normalization
from transfer.overlay import Layer, settle
from transfer.plan import Plan
from transfer.recipe import Recipe, dotted
from transfer.samples.manifest import Manifest

_CARD, _SPLIT = "run.json", "split.parquet"


class Card(BaseModel):
    """What a run was before its process ended.

    Attributes:
        version: of this package.
        task: name of the task.
        name: of the run.
        data: absolute folder or table.
        digest: of the rows with their labels, groups and splits.
        recipe: every setting, backbone and weights decided.
        decisions: settings that the machine or a trial decided, nested; they are not tried again.
        weights: where those of the backbone came from, for people.
        normalization: of the network.
        log_pictures: pictures of the data may go into the record.
        processes: how many carried it out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    task: str
    name: str
    data: str
    digest: str
    recipe: dict[str, Any]
    decisions: dict[str, Any]
    weights: str
    normalization: Normalization
    log_pictures: bool
    processes: int

    def layer(self) -> Layer:
        """Return the settings of the run, as it began."""
        return Layer(f"run {self.name}", self.recipe)

    def decided(self, recipe: Recipe) -> Recipe:
        """Return `recipe` with what was decided for it before, so that nothing is tried again."""
        return settle(recipe, [Layer("decided", self.decisions)]).recipe


class Continuation:
    """The folder of a run that is not over: its card, its split, its checkpoints."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; its own name is the id of the run's record."""
        self.folder, self.record = folder, folder.name
        self.checkpoints = Checkpoints(folder)

    @classmethod
    def begin(cls, folder: Path, card: Card, manifest: Manifest) -> Self:
        """Keep in `folder` what the run is, before it learns anything.

        Raises:
            OutputError: the folder cannot be written to.
        """
        begun = cls(folder)
        with begun._writing():
            folder.mkdir(parents=True, exist_ok=True)
            manifest.rows[["key", "split"]].to_parquet(folder / _SPLIT, index=False)
            begun._write(card)
        return begun

    def decide(self, name: str, value: float) -> None:
        """Keep a setting of the recipe that was found by trial.

        Raises:
            OutputError: the folder cannot be written to.
        """
        card = self.card()
        with self._writing():
            self._write(card.model_copy(update={"decisions": {**card.decisions, name: value}}))

    def card(self) -> Card:
        """Return what the run was.

        Raises:
            CheckpointError: there is nothing to continue, or it cannot be read.
        """
        try:
            return Card.model_validate_json((self.folder / _CARD).read_bytes())
        except FileNotFoundError as error:
            raise CheckpointError(
                f"there is no checkpoint in {str(self.folder)!r}: the run is over, or was not made "
                "on this machine. To start from its weights: transfer fit ... --weights RUN"
            ) from error
        except (OSError, ValidationError) as error:
            raise CheckpointError(
                f"{str(self.folder / _CARD)!r} cannot be read: {error}"
            ) from error

    def splits(self) -> dict[str, str]:
        """Return row key -> split.

        Raises:
            CheckpointError: the table is missing or damaged.
        """
        try:
            table = pd.read_parquet(self.folder / _SPLIT)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{str(self.folder / _SPLIT)!r} cannot be read: {error}"
            ) from error
        return dict(zip(table["key"], table["split"], strict=True))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot write to {str(self.folder)!r}: {error.strerror or error}; free some space "
                "there, or choose another folder with --out"
            ) from error

    def _write(self, card: Card) -> None:
        incoming = self.folder / "incoming_card"
        incoming.write_text(card.model_dump_json(indent=1), encoding="utf-8")
        incoming.replace(self.folder / _CARD)


def card_of(
    plan: Plan,
    decisions: Mapping[str, Any],
    network: Network,
    *,
    weights: str,
    log_pictures: bool,
    processes: int,
) -> Card:
    """Return the card of a run that is about to begin."""
    return Card(
        version=version("resnet-transfer"),
        task=plan.task.name,
        name=plan.name,
        data=str(plan.data.absolute()),
        digest=plan.manifest.digest(),
        recipe=plan.settled.recipe.model_dump(mode="json"),
        decisions=dict(decisions),
        weights=weights,
        normalization=network.normalization,
        log_pictures=log_pictures,
        processes=processes,
    )


def check_settings(card: Card, defaults: Recipe) -> None:
    """Refuse a run whose settings are not those that this version knows.

    Raises:
        CheckpointError: with the settings that came or went.
    """
    then, now = set(dotted(card.recipe)), set(defaults.dotted())
    more, lacking = (sorted(names) or "nothing" for names in (then - now, now - then))
    if then != now:
        raise CheckpointError(
            f"run {card.name!r} was made by version {card.version}, whose recipe differs: "
            f"it has {more} more and lacks {lacking}. "
            f"Continue it with that version, or start anew with --weights {card.name}"
        )


def check_processes(card: Card, size: int) -> None:
    """Refuse to continue with another number of processes.

    Raises:
        CheckpointError: they would draw other gaps and mixtures, and add up in another order.
    """
    if card.processes != size:
        launcher = f"torchrun --nproc-per-node {card.processes} -m " if card.processes > 1 else ""
        raise CheckpointError(
            f"run {card.name!r} began with {card.processes} process(es), and now there are {size}: "
            f"it would not end with the same bits. Continue it with "
            f"{launcher}transfer resume {card.name}, or start anew with --weights {card.name}"
        )


def check_data(card: Card, manifest: Manifest, splits: Mapping[str, str]) -> None:
    """Refuse to continue on other rows.

    Raises:
        CheckpointError: with how many rows came, went or changed, or that their order did.
    """
    keys = manifest.rows["key"].tolist()
    if manifest.digest() == card.digest:
        _check_order(card, keys, list(splits))
        return
    raise CheckpointError(
        f"the data in {card.data!r} are not those that run {card.name!r} began with: "
        f"{difference(keys, splits)}. Put them back, or start anew with "
        f"--weights {card.name} --split {card.name}"
    )


def difference(keys: Iterable[str], before: Iterable[str]) -> str:
    """Return, for people, what the rows `keys` have that those `before` had not, and lack."""
    now, then = set(keys), set(before)
    return (
        f"{len(now - then)} row(s) are new, {len(then - now)} are gone, and of the "
        "others a label, a group or a split may have changed"
    )


def _check_order(card: Card, keys: list[str], before: list[str]) -> None:
    # Views and orders are drawn by row number, and rows are numbered by the names of their files.
    if keys != before:
        raise CheckpointError(
            f"the pictures in {card.data!r} are those that run {card.name!r} began with, but new "
            "names put them into another order; give their names back, or start anew with "
            f"--weights {card.name} --split {card.name}"
        )

"""Where a data set lies on disk, and what of it is there."""

from pathlib import Path
from typing import NamedTuple

from transfer.catalogue.card import Card


class State(NamedTuple):
    """What of a data set is on disk: whether its folder is, and MB of what it is unpacked from."""

    whole: bool
    megabytes: float


def folder_of(card: Card, below: Path) -> Path:
    """Return the folder that the data set is unpacked into."""
    return below / card.name


def downloads_of(card: Card, below: Path) -> Path:
    """Return the folder that its files are downloaded into, and looked for."""
    return below / f"{card.name}.download"


def state_of(card: Card, below: Path) -> State:
    """Return what of a data set lies below a folder; one that is there is whole."""
    folder = folder_of(card, below)
    files = [path for path in downloads_of(card, below).glob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    return State(folder.is_dir() and any(folder.iterdir()), size)

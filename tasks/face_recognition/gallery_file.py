"""A gallery on disk: who is known, by which directions, from which likeness on; no pickle."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from transfer.errors import OutputError, StoreError

FORMAT = 1
UNKNOWN = "unknown"
"""What is said of a face that is nobody's of the gallery."""

_ABOUT, _TEMPLATES, _NAME = "gallery.json", "templates.safetensors", "templates"


@dataclass(frozen=True, eq=False)
class GalleryFile:
    """People who are known, and how they are told from strangers.

    Attributes:
        network: digest of the network that made it.
        people: E names, sorted.
        pictures: by how many each is enrolled, E.
        templates: directions of length 1, (E, D) float32.
        aligned: whether the faces were aligned by landmarks.
        threshold: the cosine from which on a face is said to be somebody's.
        false_rate: of strangers that the threshold was set for (FPIR).
        strangers: people it was set on, and their pictures.
        split: those they were of.
    """

    network: str
    people: tuple[str, ...]
    pictures: tuple[int, ...]
    templates: NDArray[np.float32]
    aligned: bool
    threshold: float
    false_rate: float
    strangers: tuple[int, int]
    split: str

    def name(self, likenesses: NDArray[np.float32]) -> list[str]:
        """Return who each face is, or `UNKNOWN`, from its likenesses (n, E)."""
        nearest, highest = likenesses.argmax(axis=1), likenesses.max(axis=1)
        return [
            self.people[person] if likeness >= self.threshold else UNKNOWN
            for person, likeness in zip(nearest.tolist(), highest.tolist(), strict=True)
        ]


def write_gallery(folder: Path, gallery: GalleryFile) -> None:
    """Write a gallery into `folder`; the one that stood there is replaced at once, or stays.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    if folder.exists() and not _is_gallery(folder):
        raise OutputError(f"{str(folder)!r} is there already and is no gallery; name a new folder")
    about = {key: value for key, value in vars(gallery).items() if key != _NAME}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as place:
            new, old = Path(place) / "new", Path(place) / "old"
            new.mkdir()
            save_file({_NAME: np.ascontiguousarray(gallery.templates)}, new / _TEMPLATES)
            text = json.dumps({"format": FORMAT, **about}, indent=1, ensure_ascii=False)
            (new / _ABOUT).write_text(text, encoding="utf-8")
            _take_the_place_of(folder, new, old)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{str(folder)!r} cannot be written: {error}") from error


def read_gallery(folder: Path) -> GalleryFile:
    """Return the gallery in `folder`.

    Raises:
        StoreError: there is none, it is damaged, or another version wrote it.
    """
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        templates = load_file(folder / _TEMPLATES)[_NAME]
        return _parse(about, templates)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise StoreError(f"no gallery in {str(folder)!r}: {error}") from error


def _parse(about: Any, templates: NDArray[np.float32]) -> GalleryFile:
    if (found := about.pop("format")) != FORMAT:
        raise ValueError(f"its format is {found!r}; this version reads {FORMAT}")
    for name in ("people", "pictures", "strangers"):
        about[name] = tuple(about[name])
    gallery = GalleryFile(templates=templates, **about)
    if templates.ndim != 2 or len(templates) != len(gallery.people):  # noqa: PLR2004  # (E, D)
        raise ValueError(f"{len(gallery.people)} people, and templates of shape {templates.shape}")
    return gallery


def _take_the_place_of(folder: Path, new: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _is_gallery(folder: Path) -> bool:
    inside = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    return inside <= {_ABOUT, _TEMPLATES}

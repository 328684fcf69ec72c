"""Read EuroSAT as it is published: one folder of chips for each class."""

from pathlib import Path

from transfer import Manifest, TaskSettings, read_layout

# What the archives of EuroSAT unpack to: the RGB one of zenodo.org/records/7711810, and the first.
PUBLISHED_FOLDERS = ("EuroSAT_RGB", "2750")


def read_manifest(data: Path, settings: TaskSettings) -> Manifest:  # noqa: ARG001  # a reader may ask
    """Return the chips of an unpacked EuroSAT, or of any standard layout.

    Chips carry no position, so none is known to belong with another: each is its own group.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout.
        ManifestError: rows that cannot be trained on.
    """
    inside = (data / name for name in PUBLISHED_FOLDERS)
    return read_layout(next((folder for folder in inside if folder.is_dir()), data))

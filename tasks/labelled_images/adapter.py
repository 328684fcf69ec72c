"""Read labelled pictures of any kind: class folders, or a table."""

from pathlib import Path

from transfer import Manifest, TaskSettings, read_layout


def read_manifest(data: Path, settings: TaskSettings) -> Manifest:  # noqa: ARG001  # a reader may ask
    """Return the pictures of any standard layout.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout.
        ManifestError: rows that cannot be trained on.
    """
    return read_layout(data)

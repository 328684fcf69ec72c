"""Read labelled pictures of any kind: class folders, tables, Parquet, objects in frames."""

from pathlib import Path

from tasks.labelled_images.settings import Settings
from transfer import Labelling, Manifest, read_layout


def read_manifest(data: Path, settings: Settings) -> Manifest:
    """Return the pictures of any standard layout.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout.
        ManifestError: rows that cannot be trained on.
        RecipeError: settings that are no use for the kind of target.
    """
    labelling = Labelling(settings.target, settings.grades, settings.labels)
    return read_layout(data, labelling, settings)

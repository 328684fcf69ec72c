"""Read EuroSAT as it is published, and chips of any standard layout: which belong together."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from tasks.satellite_vegetation.blocks import block_names
from tasks.satellite_vegetation.settings import Settings
from transfer import Manifest, read_layout
from transfer.images.geotiff import GEOTIFF_SUFFIXES
from transfer.samples.places import locate_files

# What the archives of EuroSAT unpack to: zenodo.org/records/7711810 in RGB and in all bands, and
# the first of them.
PUBLISHED_FOLDERS = ("EuroSAT_RGB", "EuroSAT_MS", "2750")


def read_manifest(data: Path, settings: Settings) -> Manifest:
    """Return the chips of an unpacked EuroSAT, or of any standard layout.

    Chips that say where they lie are grouped by square of land, unless a table gives groups. Of the
    others none is known to belong with another: each is its own group.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout.
        ManifestError: rows that cannot be trained on.
    """
    inside = (data / name for name in PUBLISHED_FOLDERS)
    manifest = read_layout(next((folder for folder in inside if folder.is_dir()), data))
    return _grouped(manifest, settings.block_m) if settings.block_m else manifest


def _grouped(manifest: Manifest, side_m: float) -> Manifest:
    rows = manifest.rows
    suffixes = rows["image"].str.lower().str.extract(r"(\.[^./]*)$", expand=False)
    chosen = suffixes.isin(GEOTIFF_SUFFIXES)
    if not chosen.any() or (rows["group"] != "").any():
        return manifest
    if find_spec("rasterio") is None:
        note = (
            "these files may say where they lie, and neighbours look alike: to keep them in one "
            "split, pip install 'resnet-transfer[satellite]'"
        )
        return replace(manifest, notes=(*manifest.notes, note))
    places = locate_files([manifest.root / image for image in rows.loc[chosen, "image"]])
    groups = rows["group"].copy()
    groups[chosen] = block_names(places, side_m)
    return manifest.with_columns(group=groups)

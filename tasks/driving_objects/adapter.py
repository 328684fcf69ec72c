"""Read signs, frames with boxes, and tables; and say which rows must not be divided."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.driving_objects.groups import COLUMNS, drives, tracks
from tasks.driving_objects.gtsrb import PUBLISHED_FOLDERS, TABLES, read_signs
from tasks.driving_objects.settings import Settings, pair
from transfer import Manifest, read_layout

_SHOWN = 5


def read_manifest(data: Path, settings: Settings) -> Manifest:
    """Return the objects of GTSRB as it is published, or of any standard layout.

    Rows are grouped by the widest that is known of them: drive, else track, else frame. A group
    that a table gives stays.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout.
        ManifestError: rows that cannot be trained on.
    """
    data = next((data / name for name in PUBLISHED_FOLDERS if (data / name).is_dir()), data)
    tables = _flat_tables(data)
    manifest = _of_tables(data, tables) if tables else read_layout(data, objects=settings)
    in_frames = "box" in manifest.rows and not tables
    manifest = _grouped(manifest, settings, in_frames=in_frames)
    if "box" not in manifest.rows:
        manifest = _with_signs(manifest)
    return _judged(_chosen(manifest, settings), settings)


def _flat_tables(data: Path) -> list[Path]:
    """Return the table of GTSRB's test archive, which has no class folders."""
    if data.is_file():
        return [data] if data.match(TABLES) else []
    tables = sorted(data.glob(TABLES)) if data.is_dir() else []
    return [] if tables and any(path.is_dir() for path in data.iterdir()) else tables


def _of_tables(data: Path, tables: list[Path]) -> Manifest:
    root = data.parent if data.is_file() else data
    rows = pd.DataFrame(read_signs(root, tables), columns=["image", "label", "box"])
    return Manifest.of_labels(root, rows)


def _with_signs(manifest: Manifest) -> Manifest:
    """Return class folders with the boxes of the tables in them, if there are any."""
    root, images = manifest.root, manifest.rows["image"]
    folders = sorted({image.rpartition("/")[0] for image in images})
    named = (root / folder / f"GT-{folder.rpartition('/')[2]}.csv" for folder in folders)
    tables = [table for table in named if table.is_file()]
    if not tables:
        return manifest
    boxes = {sign.image: sign.box for sign in read_signs(root, tables)}
    aside = f"left aside {len(tables):,} file(s) that are no pictures (.csv)"  # they were read now
    notes = [note for note in manifest.notes if note != aside]
    if without := [image for image in images if image not in boxes]:
        notes.append(
            f"{len(without):,} picture(s) are in no table of signs, first {without[0]!r}: "
            "read whole"
        )
    cells: list[Any] = [boxes.get(image) for image in images]
    return replace(manifest.with_columns(box=cells), notes=tuple(notes))


def _grouped(manifest: Manifest, settings: Settings, *, in_frames: bool) -> Manifest:
    rows = manifest.rows
    if not in_frames and (rows["group"] != "").any():
        return manifest
    images = rows["image"].tolist()
    labels = [""] * len(images) if in_frames else rows["label"].tolist()
    known: list[Iterable[str]] = [
        rows[name].fillna("").astype(str) for name in COLUMNS if name in rows
    ]
    known.append(drives(images, labels, pattern=settings.drive))
    if not in_frames:
        known.append(tracks(images, settings))
    widest = [next(filter(None, names), "") for names in zip(*known, strict=True)]
    groups = [wide or frame for wide, frame in zip(widest, rows["group"], strict=True)]
    grouped = manifest.with_columns(group=groups)
    if unknown := widest.count(""):
        note = (
            f"no drive or track is known of {unknown:,} of {len(rows):,} objects: pictures taken "
            "a moment later look alike, and scores flatter where they are divided; task.drive "
            "and task.track say how a path tells them"
        )
        return replace(grouped, notes=(*grouped.notes, note))
    return grouped


def _chosen(manifest: Manifest, settings: Settings) -> Manifest:
    """Return the manifest with the classes that are asked for."""
    labels = manifest.rows["label"].str.lower()
    out = labels.isin({name.lower() for name in settings.leave_out})
    if settings.only:
        out |= ~labels.isin({name.lower() for name in settings.only})
    notes = _unknown("task.only", settings.only, manifest)
    notes += _unknown("task.leave_out", settings.leave_out, manifest)
    if not out.any():
        return replace(manifest, notes=(*manifest.notes, *notes))
    names = sorted(manifest.rows.loc[out, "label"].unique())
    shown = ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
    notes.append(f"left out {int(out.sum()):,} object(s) of {len(names):,} class(es): {shown}")
    return Manifest.of_labels(manifest.root, manifest.rows[~out], (*manifest.notes, *notes))


def _judged(manifest: Manifest, settings: Settings) -> Manifest:
    """Return the manifest with a note on costly pairs that can never be scored."""
    usual = type(settings).model_fields["costly"].default
    names = [name for text in settings.costly if text not in usual for name in pair(text)]
    notes = _unknown("task.costly", names, manifest)
    return replace(manifest, notes=(*manifest.notes, *notes))


def _unknown(setting: str, names: Iterable[str], manifest: Manifest) -> list[str]:
    known = {name.lower() for name in manifest.classes}
    unknown = [name for name in names if name.lower() not in known]
    if not unknown:
        return []
    return [f"{setting} names {unknown}, no class here; the classes are {list(manifest.classes)}"]

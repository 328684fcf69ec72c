"""Read people: folders, or a table; with sessions, landmarks and pairs where there are any."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.face_recognition.given_pairs import FILE as PAIRS
from tasks.face_recognition.given_pairs import read_pairs
from tasks.face_recognition.landmarks import COLUMNS, as_numbers, read_landmarks
from tasks.face_recognition.landmarks import FILE as LANDMARKS
from tasks.face_recognition.settings import Settings, Use
from transfer import Labelling, Manifest, TargetKind, read_layout
from transfer.errors import ManifestError

SESSION = "session"
"""Free column: when a picture was taken; "" where that is not known."""
IN_PAIRS = "pairs"
"""Free column: the given pairs that a picture is in, `FOLD:NUMBER` each, separated by spaces."""

_UNALIGNED = (
    f"no landmarks ({LANDMARKS}, or columns {COLUMNS[0]} to {COLUMNS[-1]}): faces are taken as "
    "they were cropped, not aligned"
)


def read_manifest(data: Path, settings: Settings) -> Manifest:
    """Return the faces below `data`, each labelled by its person.

    A folder in a person's folder is a session, unless a table has a column `session`. To tell
    people apart whom nobody has seen, all pictures of a person are one group; to name those of a
    closed set, all pictures of a session are.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout.
        ManifestError: rows that cannot be trained on, or a file beside them that cannot be read.
    """
    unseen = settings.use is Use.VERIFICATION
    kind = TargetKind.IDENTITY if unseen else TargetKind.SINGLE_LABEL
    manifest = read_layout(data, Labelling(kind), settings)
    manifest = _with_sessions(manifest)
    manifest = _with_landmarks(manifest, settings)
    return _of_unseen(manifest) if unseen else _of_closed_set(manifest)


def session_of(image: str, label: str) -> str:
    """Return the session of a picture: the folders between that of its person and its name."""
    folders = image.split("/")[:-1]
    if label not in folders:
        return ""
    return "/".join(folders[len(folders) - folders[::-1].index(label) :])


def _with_sessions(manifest: Manifest) -> Manifest:
    rows = manifest.rows
    if SESSION in rows:
        return manifest.with_columns(session=rows[SESSION].fillna("").astype(str).str.strip())
    named = zip(rows["image"], rows["label"], strict=True)
    return manifest.with_columns(session=[session_of(image, label) for image, label in named])


def _with_landmarks(manifest: Manifest, settings: Settings) -> Manifest:
    """Return the manifest with landmarks as numbers; pictures that lack theirs are left out."""
    if not settings.align:
        note = "task.align = false: faces are taken as they were cropped, not aligned"
        return replace(manifest, notes=(*manifest.notes, note))
    rows, beside = manifest.rows, manifest.root / LANDMARKS
    if set(COLUMNS) <= set(rows):
        found = as_numbers(rows, str(manifest.root))
    elif beside.is_file():
        found = read_landmarks(beside).reindex(rows["image"]).set_index(rows.index)
    else:
        return replace(manifest, notes=(*manifest.notes, _UNALIGNED))
    whole = found.notna().all(axis=1).to_numpy()
    if not whole.any():
        raise ManifestError(f"none of the {len(rows)} pictures of {manifest.root} has landmarks")
    notes = tuple(note for note in manifest.notes if not _is_about_landmarks(note))
    if not whole.all():
        notes += (f"left out {int((~whole).sum())} picture(s) without landmarks",)
    aligned = manifest.with_columns(**{name: found[name] for name in COLUMNS}).keep(whole)
    return replace(aligned, notes=notes)


def _is_about_landmarks(note: str) -> bool:
    """Say whether a note tells of one table beside the folders, which is the landmarks'."""
    return note == "left aside 1 file(s) that are no pictures (.csv)"


def _of_closed_set(manifest: Manifest) -> Manifest:
    rows = manifest.rows
    together = rows["label"] + "/" + rows[SESSION]
    groups = rows["group"].where(rows["group"] != "", together.where(rows[SESSION] != "", ""))
    return manifest.with_columns(group=groups)


def _of_unseen(manifest: Manifest) -> Manifest:
    rows = manifest.rows
    if (rows[SESSION] == "").all():  # a group that a table gives is then what comes nearest to one
        manifest = manifest.with_columns(session=rows["group"])
    manifest = manifest.with_columns(group=rows["label"])
    given = manifest.root / PAIRS
    if not given.is_file():
        return manifest
    ids = read_pairs(given, manifest.rows)
    manifest = manifest.with_columns(**{IN_PAIRS: ids})
    if (rows["split"] != "").any():
        return manifest
    people = set(rows.loc[pd.Series(ids, rows.index) != "", "label"])
    split = np.where(rows["label"].isin(people), "test", "")
    note = f"{PAIRS}: {len(people):,} people in pairs are the test people"
    return replace(manifest.with_columns(split=split), notes=(*manifest.notes, note))

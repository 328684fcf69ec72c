"""Whose pictures are whose: from a table, the file names, or the headers of DICOM files."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from tasks.medical_imaging.settings import Settings
from transfer import Manifest
from transfer.errors import ManifestError
from transfer.images.patients import patient_groups
from transfer.images.pictures import looks_like_dicom

_COLUMNS = frozenset(
    {"patient", "patientid", "patientnumber", "subject", "subjectid", "person", "personid"}
)
"""What tables call the patient, in lower case and without spaces."""
_SHOWN = 3


def with_patients(manifest: Manifest, settings: Settings) -> Manifest:
    """Return the manifest with the patient as the group of each row, as far as one is known.

    The first of these that there is: the setting `patient_pattern` or `patient_column`; the column
    `group`; a column called patient_id or the like; the patient id of DICOM files, as a keyed
    digest. Notes say what was guessed, and of how many pictures nothing is known.

    Raises:
        ManifestError: the setting names no column of the table, or finds nobody in any file name.
        MissingPackageError: files are DICOM, and pydicom is not installed.
    """
    guessed: tuple[str, ...] = ()
    if settings.patient_pattern:
        manifest = manifest.with_columns(group=_by_name(manifest, settings.patient_pattern))
    elif settings.patient_column:
        manifest = _by_column(manifest, settings.patient_column)
    elif not (manifest.rows["group"] != "").any():
        if column := _likely_column(manifest):
            manifest = _by_column(manifest, column)
            guessed = (f"patients are told apart by the column {column!r}",)
        else:
            manifest = manifest.with_columns(group=_by_header(manifest))
    return replace(manifest, notes=(*manifest.notes, *guessed, *_unknown(manifest)))


def _by_name(manifest: Manifest, pattern: str) -> list[str]:
    expression, images = re.compile(pattern), manifest.rows["image"].tolist()
    found = [expression.search(image) for image in images]
    groups = [(match["patient"] or "") if match else "" for match in found]
    if not any(groups):
        raise ManifestError(
            f"task.patient_pattern = {pattern!r} finds no patient in any of {len(images):,} file "
            f"names, such as {images[:_SHOWN]}; it is sought anywhere in the path"
        )
    return groups


def _by_column(manifest: Manifest, column: str) -> Manifest:
    """Return the manifest with `column` as its group, and no longer as a column of its own."""
    if column not in manifest.rows:
        raise ManifestError(
            f"task.patient_column = {column!r}, but the columns are {list(manifest.rows)}"
        )
    cells = manifest.rows[column]
    groups = cells.astype(str).str.strip().where(cells.notna(), "")
    if column != "group":
        manifest = replace(manifest, rows=manifest.rows.drop(columns=column))
    return manifest.with_columns(group=groups)


def _likely_column(manifest: Manifest) -> str:
    names = map(str, manifest.rows.columns)
    found = [name for name in names if re.sub(r"[^a-z]", "", name.lower()) in _COLUMNS]
    return found[0] if len(found) == 1 else ""


def _by_header(manifest: Manifest) -> "pd.Series[str]":
    files = manifest.all_rows()
    scans = [row.record is None and looks_like_dicom(row.path) for row in files]
    groups = manifest.rows["group"].copy()
    if any(scans):
        paths = [row.path for row, is_scan in zip(files, scans, strict=True) if is_scan]
        groups[np.array(scans)] = patient_groups(paths)
    return groups


def _unknown(manifest: Manifest) -> tuple[str, ...]:
    """Return what is to be said of pictures that nobody is known for."""
    alone = int((manifest.rows["group"] == "").sum())
    if not alone:
        return ()
    note = (
        f"whose they are is not known of {alone:,} of {len(manifest):,} pictures: each counts as a "
        "patient of its own. If some share a patient, scores will look better than they are; see "
        "task.patient_column and task.patient_pattern"
    )
    return (note,)

"""Read medical pictures of any standard layout: whose they are, and what is looked for."""

from dataclasses import replace
from pathlib import Path

from tasks.medical_imaging.findings import choice, findings_of
from tasks.medical_imaging.patients import with_patients
from tasks.medical_imaging.settings import Settings
from transfer import Labelling, Manifest, read_layout
from transfer.errors import RecipeError


def read_manifest(data: Path, settings: Settings) -> Manifest:
    """Return the pictures of class folders, a table, Parquet, or DICOM files with a table.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout.
        ManifestError: rows that cannot be trained on, or a patient's column that is not there.
        MissingPackageError: files are DICOM, and pydicom is not installed.
        RecipeError: settings that are no use for these classes.
    """
    labelling = Labelling(settings.target, settings.grades, settings.labels)
    manifest = with_patients(read_layout(data, labelling), settings)
    findings = findings_of(manifest.classes, manifest.target, settings.finding)
    if settings.prevalence is not None and len(findings) > 1:
        raise RecipeError(
            f"task.prevalence = {settings.prevalence:g} is that of one finding, and here are "
            f"{len(findings)}: {[finding.name for finding in findings]}; leave it out, or name the "
            "classes that count as the finding with task.finding"
        )
    said = choice(manifest.classes, manifest.target, settings.finding)
    return replace(manifest, notes=(*manifest.notes, said)) if said else manifest

"""Write drawn chest films as DICOM files with a label table, several films of each patient."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.medical_imaging.films import Plane, Rng, draw_film, draw_patient
from transfer import new_folder
from transfer.images.extras import import_extra

LABELS = ("normal", "opacity")
BITS = 12
_MOST_FILMS = 5  # of one patient
_LARGEST = 2**BITS - 1


def write_samples(folder: Path, count: int, seed: int) -> None:
    """Write `count` films as `folder/films/00001.dcm` and on, and `folder/labels.csv`.

    Who the patient is stands in the files alone. A third of the films are MONOCHROME1, a third has
    no window. The same seed gives the same bytes, and a smaller count the first of them. All or
    nothing is written.

    Raises:
        MissingPackageError: pydicom is not installed.
        OutputError: the folder holds something already, or cannot be written.
    """
    import_extra("pydicom", "medical")
    with new_folder(folder) as unfinished:
        _write_all(unfinished, count, seed)


def _write_all(folder: Path, count: int, seed: int) -> None:
    (folder / "films").mkdir(parents=True)
    rows: list[dict[str, str]] = []
    number = 0
    while len(rows) < count:
        patient, number = draw_patient(seed, number), number + 1
        rng = np.random.default_rng((seed, number, 2))
        for _ in range(min(int(rng.integers(1, _MOST_FILMS + 1)), count - len(rows))):
            film, shown = draw_film(patient, rng)
            image = f"films/{len(rows) + 1:05}.dcm"
            _write_film(folder / image, film, f"{seed}.{number}", rng)
            rows.append({"image": image, "label": LABELS[shown]})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False, lineterminator="\n")


def _write_film(path: Path, film: Plane, patient: str, rng: Rng) -> None:
    dataset = _header(patient, path.stem)
    white_low = bool(rng.random() < 1 / 3)
    black, white = rng.uniform(200, 600), rng.uniform(2800, 3700)  # of the detector
    stored = np.rint(black + film * (white - black)).clip(0, _LARGEST).astype(np.uint16)
    center, width = (black + white) / 2, white - black
    if white_low:
        stored, center = _LARGEST - stored, _LARGEST - center
    dataset.PhotometricInterpretation = "MONOCHROME1" if white_low else "MONOCHROME2"
    if rng.random() < 2 / 3:
        dataset.WindowCenter, dataset.WindowWidth = f"{center:.0f}", f"{width:.0f}"
    _store(dataset, stored)
    dataset.save_as(path, enforce_file_format=True)


def _header(patient: str, film: str) -> Any:
    """Return a data set that says whose film it is, and which: a computed radiograph."""
    pydicom = import_extra("pydicom", "medical")
    uids = import_extra("pydicom.uid", "medical")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uids.ExplicitVRLittleEndian
    dataset.SOPClassUID = uids.ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = _uid(f"{patient} {film}")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = _uid(f"{patient} {film} study")
    dataset.SeriesInstanceUID = _uid(f"{patient} {film} series")
    dataset.PatientID = _uid(patient)[-7:]
    dataset.PatientName = f"Drawn^{dataset.PatientID}"
    dataset.Modality, dataset.BodyPartExamined = "CR", "CHEST"
    return dataset


def _uid(name: str) -> str:
    """Return a UID of its own for a name, under the root of those made from numbers (2.25)."""
    digest = hashlib.blake2b(f"transfer samples {name}".encode(), digest_size=12).digest()
    return f"2.25.{int.from_bytes(digest)}"


def _store(dataset: Any, stored: NDArray[np.uint16]) -> None:
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.PixelData = stored.tobytes()

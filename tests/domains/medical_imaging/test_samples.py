import csv
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.medical_imaging.films import draw_film, draw_patient
from tasks.medical_imaging.samples import BITS, LABELS, write_samples
from transfer import read_picture
from transfer.errors import MissingPackageError

pydicom = pytest.importorskip("pydicom", reason="pip install 'resnet-transfer[medical]'")

COUNT = 60


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("films") / "films"
    write_samples(place, COUNT, seed=0)
    return place


@pytest.fixture(scope="module")
def headers(folder: Path) -> list:
    return [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def test_the_same_seed_gives_the_same_bytes_and_a_smaller_count_the_first(
    folder: Path, tmp_path: Path
) -> None:
    write_samples(tmp_path / "few", 7, seed=0)
    few, all_of_them = contents(tmp_path / "few"), contents(folder)
    assert len(few) == 8
    assert all(all_of_them[name] == few[name] for name in few if name.endswith(".dcm"))
    assert all_of_them["labels.csv"].startswith(few["labels.csv"])
    write_samples(tmp_path / "others", 7, seed=1)
    others = contents(tmp_path / "others")
    assert not {few[name] for name in few} & {others[name] for name in others}


def test_the_table_names_every_film_and_no_patient(folder: Path, headers: list) -> None:
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [f"films/{n:05}.dcm" for n in range(1, COUNT + 1)]
    assert set(rows[0]) == {"image", "label"}
    assert {row["label"] for row in rows} == set(LABELS)
    assert len(list((folder / "films").iterdir())) == COUNT


def test_patients_have_several_films_most_of_one_label(folder: Path, headers: list) -> None:
    films = Counter(header.PatientID for header in headers)
    assert COUNT / 5 < len(films) < COUNT / 2
    assert max(films.values()) <= 5
    assert len({header.SOPInstanceUID for header in headers}) == COUNT


def test_files_are_of_12_bits_white_low_or_high_with_windows_or_without(headers: list) -> None:
    assert {header.BitsStored for header in headers} == {BITS}
    assert max(int(header.pixel_array.max()) for header in headers) < 2**BITS
    kinds = Counter(header.PhotometricInterpretation for header in headers)
    assert set(kinds) == {"MONOCHROME1", "MONOCHROME2"}
    assert kinds["MONOCHROME1"] < kinds["MONOCHROME2"]
    assert 0 < sum("WindowCenter" in header for header in headers) < COUNT
    assert len({header.Rows / header.Columns for header in headers}) > 10


def test_whatever_is_stored_bones_are_white_and_lungs_dark(folder: Path, headers: list) -> None:
    for path, header in zip(sorted(folder.rglob("*.dcm")), headers, strict=True):
        picture = read_picture(path)[:, :, 0]
        height, width = picture.shape
        spine = np.median(picture[height // 4 : -height // 4, width // 2 - 2 : width // 2 + 2])
        lung = np.median(picture[height // 3 : height // 2, width // 4 : width // 3])
        assert spine > lung + 0.1, header.PhotometricInterpretation


def test_a_film_with_the_finding_is_denser_where_the_finding_is() -> None:
    patients = [draw_patient(0, number) for number in range(30)]
    for patient in (patient for patient in patients if patient.sick):
        film, shown = draw_film(patient, np.random.default_rng(1))
        clear, _ = draw_film(replace(patient, density=0.0), np.random.default_rng(1))
        gained = film - clear
        assert shown
        assert gained.max() > 0.05
        assert gained.mean() < gained.max() / 4  # in one place, not all over
        height, width = film.shape
        row, column = np.unravel_index(gained.argmax(), gained.shape)
        assert abs(2 * column / width - 1 - patient.where[0]) < 0.5
        assert abs(2 * row / height - 1 - patient.where[1]) < 0.5


def test_a_patient_without_the_finding_never_shows_it() -> None:
    rng = np.random.default_rng(0)
    patients = [draw_patient(0, number) for number in range(30)]
    assert 5 < sum(patient.sick for patient in patients) < 25
    assert not any(draw_film(patient, rng)[1] for patient in patients if not patient.sick)


def test_without_pydicom_the_command_that_installs_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'resnet-transfer\[medical\]'"):
        write_samples(tmp_path / "films", 3, seed=0)
    assert not (tmp_path / "films").exists()

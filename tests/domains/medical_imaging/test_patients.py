from pathlib import Path

import pandas as pd
import pytest

from tasks.medical_imaging.patients import with_patients
from tasks.medical_imaging.samples import write_samples
from tasks.medical_imaging.settings import Settings
from transfer import Manifest, read_layout
from transfer.errors import ManifestError

CHESTS = (
    "NORMAL/IM-0001-0001.jpeg", "NORMAL/IM-0001-0002.jpeg", "NORMAL/NORMAL2-IM-0915-0001.jpeg",
    "PNEUMONIA/person123_virus_45.jpeg", "PNEUMONIA/person123_virus_46.jpeg",
    "PNEUMONIA/person9_bacteria_1.jpeg",
)  # fmt: skip


def manifest_of(images=CHESTS, **columns) -> Manifest:
    labels = ["a" if number % 2 else "b" for number in range(len(images))]
    rows = pd.DataFrame({"image": images, "label": labels, **columns})
    return Manifest.of_labels(Path("nowhere"), rows)


def groups(manifest: Manifest) -> list[str]:
    return manifest.rows["group"].tolist()


def test_file_names_tell_the_patient():
    pattern = r"(?P<patient>person\d+|(NORMAL2-)?IM-\d+)"
    found = with_patients(manifest_of(), Settings(patient_pattern=pattern))
    assert groups(found) == [
        "IM-0001", "IM-0001", "NORMAL2-IM-0915", "person123", "person123", "person9",
    ]  # fmt: skip
    assert found.notes == ()


def test_a_folder_can_tell_the_patient():
    images = ("normal/p1/a.png", "sick/p2/a.png", "sick/p2/b.png")
    found = with_patients(manifest_of(images), Settings(patient_pattern=r"/(?P<patient>p\d+)/"))
    assert groups(found) == ["p1", "p2", "p2"]


def test_names_that_tell_nobody_count_alone_and_are_counted_aloud():
    found = with_patients(manifest_of(), Settings(patient_pattern=r"(?P<patient>person\d+)"))
    assert groups(found) == ["", "", "", "person123", "person123", "person9"]
    assert "not known of 3 of 6 pictures" in found.notes[0]


def test_a_pattern_that_finds_nobody_is_refused_with_examples():
    with pytest.raises(ManifestError, match=r"finds no patient in any of 6 .*IM-0001-0001\.jpeg"):
        with_patients(manifest_of(), Settings(patient_pattern=r"(?P<patient>subject\d+)"))


def test_a_column_tells_the_patient_and_is_no_longer_a_fact_of_the_picture():
    given = manifest_of(mrn=["1", "1", "2", "3", None, " "], age=list("123456"))
    found = with_patients(given, Settings(patient_column="mrn"))
    assert groups(found) == ["1", "1", "2", "3", "", ""]
    assert "mrn" not in found.rows
    assert "age" in found.rows
    with pytest.raises(ManifestError, match=r"patient_column = 'mrm', but the columns are.*'mrn'"):
        with_patients(given, Settings(patient_column="mrm"))


@pytest.mark.parametrize("name", ["patient_id", "Patient ID", "patientId", "Subject_ID"])
def test_a_column_that_is_called_so_is_taken_and_that_is_said(name):
    found = with_patients(manifest_of(**{name: list("112233")}), Settings())
    assert groups(found) == list("112233")
    assert found.notes == (f"patients are told apart by the column {name!r}",)


def test_a_group_that_is_given_stands_unless_a_setting_says_otherwise():
    given = manifest_of(group=list("ABCDEF"), patient_id=list("112233"))
    assert groups(with_patients(given, Settings())) == list("ABCDEF")
    assert groups(with_patients(given, Settings(patient_column="patient_id"))) == list("112233")
    named = Settings(patient_pattern="(?P<patient>.*)/")
    assert groups(with_patients(given, named))[0] == "NORMAL"


def test_where_nobody_is_known_it_is_said():
    found = with_patients(manifest_of(), Settings())
    assert set(groups(found)) == {""}
    assert "not known of 6 of 6 pictures" in found.notes[0]


def test_dicom_files_tell_the_patient_without_naming_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pydicom = pytest.importorskip("pydicom", reason="pip install 'resnet-transfer[medical]'")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))  # where the key stands
    write_samples(tmp_path / "films", 24, seed=0)
    found = with_patients(read_layout(tmp_path / "films"), Settings())
    ids = [pydicom.dcmread(row.path).PatientID for row in found.all_rows()]
    assert 1 < len(set(ids)) < 24
    assert len(set(zip(ids, groups(found), strict=True))) == len(set(ids)) == len({*groups(found)})
    assert not any(name in group for name in ids for group in groups(found))
    assert found.notes == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patient_pattern": r"person(\d+)"}, r"no group \(\?P<patient>"),
        ({"patient_pattern": "(?P<patient>"}, "is no regular expression"),
        ({"patient_pattern": "(?P<patient>a)", "patient_column": "b"}, "both name the patient"),
        ({"target": "identity"}, "who a patient is"),
        ({"prevalence": 0.0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)

from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from transfer.errors import ImageError, OutputError
from transfer.images.patients import patient_groups

pydicom = pytest.importorskip("pydicom", reason="pip install 'resnet-transfer[medical]'")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian  # noqa: E402


def header(path: Path, **elements: str) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_one_patient_is_one_group_whenever_they_came(tmp_path: Path) -> None:
    first = header(tmp_path / "1.dcm", PatientID="4711", StudyDate="20200101")
    again = header(tmp_path / "2.dcm", PatientID=" 4711 ", StudyDate="20240101")
    other = header(tmp_path / "3.dcm", PatientID="4712", StudyDate="20200101")
    a, b, c = patient_groups([first, again, other], tmp_path / "key")
    assert a == b != c
    assert a.startswith("patient-")
    assert "471" not in a.removeprefix("patient-") or "471" not in c


def test_the_names_stay_on_one_machine_and_mean_nothing_on_another(tmp_path: Path) -> None:
    path = header(tmp_path / "1.dcm", PatientID="4711")
    here = patient_groups([path], tmp_path / "key")
    assert patient_groups([path], tmp_path / "key") == here
    assert patient_groups([path], tmp_path / "other key") != here


def test_the_key_is_the_users_own(tmp_path: Path) -> None:
    path = header(tmp_path / "1.dcm", PatientID="4711")
    patient_groups([path], tmp_path / "key")
    (key,) = (tmp_path / "key").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    assert b"4711" not in key.read_bytes()
    key.chmod(0o644)
    with pytest.raises(OutputError, match="chmod 600"):
        patient_groups([path], tmp_path / "key")


def test_processes_that_start_together_agree_on_a_key(tmp_path: Path) -> None:
    path = header(tmp_path / "1.dcm", PatientID="4711")
    with ThreadPool(8) as pool:
        named = pool.map(lambda _: patient_groups([path], tmp_path / "key")[0], range(32))
    assert len(set(named)) == 1
    assert [file.name for file in (tmp_path / "key").iterdir()] == ["patients.key"]


def test_without_an_id_the_study_is_the_group(tmp_path: Path) -> None:
    paths = [
        header(tmp_path / "1.dcm", PatientID="", StudyInstanceUID="1.2.3.4"),
        header(tmp_path / "2.dcm", StudyInstanceUID="1.2.3.4"),
        header(tmp_path / "3.dcm", StudyInstanceUID="1.2.3.5"),
        header(tmp_path / "4.dcm", Modality="CR"),
    ]
    a, b, c, alone = patient_groups(paths, tmp_path / "key")
    assert a == b != c
    assert a.startswith("study-")
    assert alone == ""


def test_an_id_against_the_rules_is_neither_warned_of_nor_quoted(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    path = header(tmp_path / "1.dcm", PatientID="4711")
    damaged = path.read_bytes().replace(b"4711", b"4\\\xff1")
    path.write_bytes(damaged)
    (group,) = patient_groups([path], tmp_path / "key")
    assert group.startswith("patient-")
    assert not recwarn.list
    assert not caplog.records


def test_a_damaged_file_is_nobodys_and_does_not_stop_the_others(tmp_path: Path) -> None:
    whole = header(tmp_path / "1.dcm", PatientID="4711")
    cut = tmp_path / "2.dcm"
    cut.write_bytes(whole.read_bytes()[:140])
    other = tmp_path / "notes.dcm"
    other.write_text("PatientID 4711")
    groups = patient_groups([cut, whole, other], tmp_path / "key")
    assert groups[::2] == ["", ""]
    assert groups[1].startswith("patient-")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.dcm' cannot be read: No such file"):
        patient_groups([tmp_path / "gone.dcm"], tmp_path / "key")

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.driving_objects.adapter import read_manifest
from tasks.driving_objects.samples import write_samples
from tasks.driving_objects.settings import Settings
from transfer import Manifest
from transfer.errors import DataNotFoundError, ManifestError
from transfer.images.crop import Box

HEADER = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
Signs = Callable[..., Path]


@pytest.fixture
def signs(tmp_path: Path) -> Signs:
    """Write class folders as GTSRB has them: two tracks of two pictures in each of two classes."""

    def write(below: str = "", *, tables: bool = True) -> Path:
        for number in (13, 14):
            folder = tmp_path / "signs" / below / f"{number:05}"
            folder.mkdir(parents=True)
            names = [f"{track:05}_{moment:05}.ppm" for track in (0, 1) for moment in (0, 29)]
            for name in names:
                (folder / name).touch()
            lines = [f"{name};29;30;5;6;24;{25 + number};{number}\n" for name in names]
            if tables:
                (folder / f"GT-{number:05}.csv").write_text(HEADER + "".join(lines))
        return tmp_path / "signs"

    return write


@pytest.mark.parametrize("below", ["", "GTSRB/Final_Training/Images", "Final_Training/Images"])
def test_gtsrb_is_read_from_the_folder_it_unpacks_to(signs: Signs, below: str) -> None:
    manifest = read_manifest(signs(below), Settings())
    assert manifest.classes == ("00013", "00014")
    assert manifest.rows["box"].tolist() == [Box(5, 6, 24, 38)] * 4 + [Box(5, 6, 24, 39)] * 4
    assert manifest.rows["group"].nunique() == 4
    assert manifest.rows.groupby("group").size().tolist() == [2, 2, 2, 2]
    assert manifest.notes == ()


def test_signs_without_tables_are_read_whole(signs: Signs) -> None:
    manifest = read_manifest(signs(tables=False), Settings())
    assert "box" not in manifest.rows
    assert manifest.rows["group"].nunique() == 4


def test_a_picture_that_no_table_names_is_told_and_read_whole(signs: Signs) -> None:
    folder = signs()
    (folder / "00014/00002_00000.ppm").touch()
    manifest = read_manifest(folder, Settings())
    assert manifest.rows["box"].isna().sum() == 1
    assert manifest.notes == (
        "1 picture(s) are in no table of signs, first '00014/00002_00000.ppm': read whole",
    )


def test_the_test_archive_has_one_table_and_no_tracks(tmp_path: Path) -> None:
    lines = "".join(f"{n:05}.ppm;29;30;5;6;24;25;{n}\n" for n in (1, 14))
    (tmp_path / "GT-final_test.csv").write_text(HEADER + lines)
    for data in (tmp_path, tmp_path / "GT-final_test.csv"):
        manifest = read_manifest(data, Settings())
        assert manifest.rows["image"].tolist() == ["00001.ppm", "00014.ppm"]
        assert manifest.classes == ("00001", "00014")
        assert set(manifest.rows["group"]) == {""}
        assert "no drive or track is known of 2 of 2 objects" in manifest.notes[0]


def test_objects_of_a_drive_are_one_group(tmp_path: Path) -> None:
    write_samples(tmp_path / "drives", 21, seed=0)
    manifest = read_manifest(tmp_path / "drives", Settings())
    assert len(manifest) == 21
    assert set(manifest.rows["group"]) == {f"drive_{number:04}" for number in range(1, 7)}
    assert {"truncated", "occluded"} <= set(manifest.rows)
    assert manifest.notes == ()


def test_frames_of_no_known_drive_are_groups_and_it_says_so(tmp_path: Path) -> None:
    write_samples(tmp_path / "drives", 8, seed=0)
    both = read_manifest(tmp_path / "drives", Settings(drive="no such drive"))
    assert both.rows["group"].tolist() == both.rows["image"].tolist()
    assert "no drive or track is known of 8 of 8 objects" in both.notes[0]
    one = read_manifest(tmp_path / "drives/drive_0001", Settings())
    assert one.rows["group"].tolist() == one.rows["image"].tolist()


def _table(folder: Path, *lines: str) -> Manifest:
    for line in lines[1:]:
        (folder / line.partition(",")[0]).touch()
    (folder / "t.csv").write_text("\n".join(lines))
    return read_manifest(folder / "t.csv", Settings())


def test_a_table_groups_by_the_widest_it_knows(tmp_path: Path) -> None:
    header = "image,label,frame,track,drive"
    read = _table(tmp_path, header, "a.png,car,f1,t1,d1", "b.png,van,f1,t1,", "c.png,van,f1,,")
    assert read.rows["group"].tolist() == ["d1", "t1", "f1"]


def test_the_groups_of_a_table_stay(tmp_path: Path) -> None:
    read = _table(tmp_path, "image,label,group,drive", "a.png,car,x,d1", "b.png,van,,d1")
    assert read.rows["group"].tolist() == ["x", ""]


def test_classes_are_left_out_and_counted_and_unknown_names_are_told(tmp_path: Path) -> None:
    write_samples(tmp_path / "drives", 40, seed=0)
    settings = Settings(leave_out=("truck", "Misc"), costly=("Car:Vna", "car:truck"))
    manifest = read_manifest(tmp_path / "drives", settings)
    assert manifest.classes == ("Car", "Cyclist", "Pedestrian", "Van")
    unknown, left_out, pairs = manifest.notes
    assert left_out == f"left out {40 - len(manifest)} object(s) of 1 class(es): Truck"
    assert "task.leave_out names ['Misc'], no class here" in unknown
    assert "task.costly names ['Vna'], no class here" in pairs  # car:truck is among the defaults


def test_only_the_classes_that_are_asked_for_are_taken(tmp_path: Path) -> None:
    write_samples(tmp_path / "drives", 40, seed=0)
    manifest = read_manifest(tmp_path / "drives", Settings(only=("car", "VAN", "Truck")))
    assert manifest.classes == ("Car", "Truck", "Van")
    assert manifest.notes == (
        f"left out {40 - len(manifest)} object(s) of 2 class(es): Cyclist, Pedestrian",
    )


def test_which_objects_count_is_a_setting(tmp_path: Path) -> None:
    write_samples(tmp_path / "drives", 40, seed=0)
    assert len(read_manifest(tmp_path / "drives", Settings(min_size=20))) < 40


def test_an_empty_folder_and_damaged_tables_are_clear_errors(signs: Signs, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFoundError):
        read_manifest(tmp_path / "empty", Settings())
    with pytest.raises(DataNotFoundError):
        read_manifest(tmp_path / "absent", Settings())
    folder = signs()
    (folder / "00014/GT-00014.csv").write_text("Filename;Width\n")
    with pytest.raises(ManifestError, match=r"GT-00014\.csv"):
        read_manifest(folder, Settings())

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from transfer import Pixels, Row, Task, TaskSettings
from transfer.images.crop import Box
from transfer.plugin.task import read_row
from transfer.settings import ObjectSettings


class Sensor(TaskSettings):
    gain: int = 1


def read_named(row: Row, bands: tuple[str, ...], settings: Sensor) -> Pixels:
    return np.full((2, 2, len(bands)), settings.gain, np.uint8)


def read_upside_down(row: Row, settings: Sensor) -> Pixels:
    return read_row(row, settings)[::-1].copy()


PLAIN = Task(
    name="sensor",
    summary="",
    read_manifest=lambda data, settings: None,  # type: ignore[arg-type,return-value]  # not called
    augment=lambda size, settings: None,  # type: ignore[arg-type,return-value]  # not called
    settings=Sensor(),
)
NAMED = replace(PLAIN, read_bands=read_named)


def test_named_bands_are_read_by_the_reader_for_them() -> None:
    read = pickle.loads(pickle.dumps(NAMED.reader(Sensor(gain=7), ("nir", "red"))))  # noqa: S301  # as loader processes do
    assert np.array_equal(read(Row(Path("chip.tif"))), np.full((2, 2, 2), 7))


def test_without_names_or_without_such_a_reader_pictures_are_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "black.ppm"
    path.write_bytes(b"P6 1 1 255 \0\0\0")
    for task, bands in ((NAMED, ()), (PLAIN, ("nir", "red", "green"))):
        assert task.reader(Sensor(), bands)(Row(path)).tolist() == [[[0, 0, 0]]]
        assert task.reads_as_all(bands)
    assert not NAMED.reads_as_all(("nir",))
    assert not replace(PLAIN, read_image=read_upside_down).reads_as_all()


def test_what_may_give_other_pixels_has_another_name() -> None:
    names = {
        NAMED.reader_name(Sensor(gain=gain), bands)
        for gain in (1, 2)
        for bands in ((), ("nir",), ("red",))
    }
    assert len(names) == 6
    assert PLAIN.reader_name(Sensor()) == NAMED.reader_name(Sensor())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_row_with_a_box_is_the_part_in_it_and_its_margin(picture: Path) -> None:
    whole = read_row(Row(picture), TaskSettings())
    row = Row(picture, box=Box(10, 5, 20, 15))
    assert np.array_equal(read_row(row, ObjectSettings(margin=0)), whole[5:15, 10:20])
    assert np.array_equal(read_row(row, ObjectSettings(margin=0.2)), whole[3:17, 8:22])
    assert np.array_equal(read_row(row, TaskSettings()), whole[5:15, 10:20])


def test_a_row_with_a_record_is_read_from_its_bytes(picture: Path, tmp_path: Path) -> None:
    table = pa.table({"image": [{"bytes": b"other"}, {"bytes": picture.read_bytes()}]})
    pq.write_table(table, tmp_path / "a.parquet")
    row = Row(tmp_path / "a.parquet", record=1)
    assert np.array_equal(read_row(row, TaskSettings()), read_row(Row(picture), TaskSettings()))
    assert row.part == "row 2"

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from transfer.images.crop import Box
from transfer.plugin.task import read_row
from transfer.samples.manifest import Row
from transfer.settings import ObjectSettings, TaskSettings


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

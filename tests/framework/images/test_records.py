import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transfer.errors import ImageError
from transfer.images import records
from transfer.images.records import picture_column, read_record

CONTENT = [bytes([number]) * (number + 1) for number in range(25)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twenty-five records, ten in a row group."""
    path = tmp_path / "a.parquet"
    cells = [{"bytes": content, "path": "x.jpg"} for content in CONTENT]
    pq.write_table(pa.table({"n": range(25), "image": cells}), path, row_group_size=10)
    return path


def test_each_row_gives_its_own_bytes(file: Path) -> None:
    assert [read_record(file, number) for number in range(25)] == CONTENT


def test_a_row_group_is_read_once_and_two_are_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    plain = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, **options: object) -> pa.Table:
        read.append(group)
        return plain(self, group, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    for number in (0, 9, 10, 5, 19, 20, 24, 3):
        read_record(file, number)
    assert read == [0, 1, 2, 0]
    assert records._read_group.cache_info().currsize == 2


def test_threads_and_processes_read_the_same(file: Path) -> None:
    reading = partial(read_record, file)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(reading, range(25))) == CONTENT
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    with ProcessPoolExecutor(2, mp_context=context) as processes:
        assert list(processes.map(reading, range(25))) == CONTENT


def test_a_file_that_has_changed_is_read_again(file: Path) -> None:
    assert read_record(file, 0) == CONTENT[0]
    pq.write_table(pa.table({"image": [b"new"]}), file)
    os.utime(file, ns=(1, 1))
    assert read_record(file, 0) == b"new"


def test_what_cannot_be_read_says_so(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="has 25 rows, none of number 26"):
        read_record(file, 25)
    pq.write_table(pa.table({"image": [b"x", None]}), tmp_path / "gap.parquet")
    with pytest.raises(ImageError, match=r"holds no bytes of a picture in row 2"):
        read_record(tmp_path / "gap.parquet", 1)
    (tmp_path / "no.parquet").write_text("no Parquet at all")
    with pytest.raises(ImageError, match=r"no\.parquet' cannot be read"):
        read_record(tmp_path / "no.parquet", 0)
    with pytest.raises(ImageError, match="cannot be read"):
        read_record(tmp_path / "missing.parquet", 0)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"image": pa.binary(), "mask": pa.binary()}, "image"),
        ({"img": pa.struct({"bytes": pa.binary(), "path": pa.string()})}, "img"),
        ({"a": pa.binary(), "b": pa.large_binary()}, None),  # which of them?
        ({"image": pa.string(), "label": pa.int64()}, None),  # a table of paths
    ],
)
def test_the_column_of_pictures_is_found(
    columns: dict[str, pa.DataType], found: str | None
) -> None:
    assert picture_column(pa.schema(columns)) == found

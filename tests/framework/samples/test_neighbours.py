from pathlib import Path

from transfer import Row
from transfer.images.crop import Box
from transfer.samples.neighbours import by_frame

BOX = Box(0, 0, 1, 1)


def test_neighbours_in_one_frame_come_together_and_the_order_stays() -> None:
    rows = [Row(Path(name), box=BOX) for name in "aabba"]
    assert by_frame(rows, [0, 1, 2, 3, 4]) == [[0, 1], [2, 3], [4]]
    assert by_frame(rows, [1, 4, 2]) == [[1, 4], [2]]
    assert by_frame(rows, []) == []


def test_rows_without_a_box_share_nothing() -> None:
    rows = [Row(Path("a")), Row(Path("a")), Row(Path("a.parquet"), record=3)]
    assert by_frame(rows, range(3)) == [[0], [1], [2]]


def test_pictures_of_one_parquet_file_are_different_frames() -> None:
    rows = [Row(Path("a.parquet"), record=record, box=BOX) for record in (0, 0, 1)]
    assert by_frame(rows, range(3)) == [[0, 1], [2]]

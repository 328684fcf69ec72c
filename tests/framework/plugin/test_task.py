import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np

from transfer import Pixels, Row, Task, TaskSettings
from transfer.plugin.task import read_row


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

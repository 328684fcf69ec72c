import multiprocessing
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from transfer.cache.block import as_names
from transfer.cache.folder import clear, folder_of
from transfer.images.framing import Framing, frame
from transfer.images.pictures import Pixels
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures
from transfer.pixels.pixel_store import KeptPixels, PixelStore
from transfer.progress import Silent
from transfer.samples.inspection import pixels_digest
from transfer.samples.manifest import Row

COUNT, SIZE = 7, 8
ROWS = [Row(Path(f"{number}.png")) for number in range(COUNT)]


def decoded(number: int) -> Pixels:
    """Bytes of odd sizes; every third picture is deeper, and one fits already."""
    rng = np.random.default_rng(number)
    sides = (SIZE, SIZE) if number == 1 else (20 + number, 30)
    pixels = rng.integers(0, 256, (*sides, 3), dtype=np.uint8)
    return (pixels / np.float32(255)).astype(np.float32) if number % 3 == 2 else pixels


NAMES = as_names(pixels_digest(decoded(number)) for number in range(COUNT))


class Disk:
    """Reads rows, and counts how often."""

    def __init__(self) -> None:
        self.read_count: Counter[str] = Counter()

    def read(self, row: Row) -> Pixels:
        self.read_count[row.path.name] += 1
        return decoded(int(row.path.stem))


def store(
    folder: Path,
    told: list[str] | None = None,
    *,
    size: int = SIZE,
    framing: Framing = "crop",
    limit: int = 10**6,
) -> PixelStore:
    warn = pytest.fail if told is None else told.append
    return PixelStore(size, framing, limit, warn, folder)


def complete(kept_in: PixelStore, disk: Disk, names: np.ndarray = NAMES) -> KeptPixels:
    return kept_in.complete(names, ROWS, disk.read, Silent())


def assert_exact(kept: KeptPixels, size: int = SIZE, framing: Framing = "crop") -> None:
    for number in range(COUNT):
        expected = frame(decoded(number), size, framing)
        found = kept.get(number)
        assert found is not None
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("framing", ["crop", "pad", "squash"])
@pytest.mark.parametrize("size", [8, 13])
def test_rows_are_what_framing_makes_of_them(tmp_path: Path, size: int, framing: Framing) -> None:
    disk = Disk()
    for _ in range(2):  # made, and found
        kept = complete(store(tmp_path, size=size, framing=framing), disk)
        assert_exact(kept, size, framing)
    assert set(disk.read_count.values()) == {1}


def test_another_size_or_framing_is_decoded_for_itself(tmp_path: Path) -> None:
    complete(store(tmp_path), Disk())
    for other in (store(tmp_path, size=9), store(tmp_path, framing="pad")):
        assert other.find(NAMES).missing().tolist() == list(range(COUNT))


def test_what_is_handed_on_is_kept_and_only_the_rest_is_decoded(tmp_path: Path) -> None:
    disk = Disk()
    with store(tmp_path).keeping(2, COUNT) as keep:
        for number in (4, 1):
            assert keep(NAMES[number].decode(), decoded(number))
    assert store(tmp_path).find(NAMES).missing().tolist() == [0, 2, 3, 5, 6]
    assert_exact(complete(store(tmp_path), disk))
    assert sorted(disk.read_count) == [f"{number}.png" for number in (0, 2, 3, 5, 6)]


def test_what_came_before_an_interrupt_is_kept(tmp_path: Path) -> None:
    class Interrupted(Disk):
        def read(self, row: Row) -> Pixels:
            if row.path.stem == "5":
                raise KeyboardInterrupt
            return super().read(row)

    with pytest.raises(KeyboardInterrupt):
        complete(store(tmp_path), Interrupted())
    left = store(tmp_path).find(NAMES).missing().tolist()
    assert 0 not in left
    assert 5 in left


def test_rows_of_equal_pixels_are_decoded_once(tmp_path: Path) -> None:
    disk = Disk()
    kept = complete(store(tmp_path), disk, as_names([NAMES[0].decode()] * COUNT))
    assert disk.read_count == {"0.png": 1}
    assert np.array_equal(kept.get(6), frame(decoded(0), SIZE, "crop"))


def test_a_file_that_changed_since_it_was_inspected_is_not_kept_under_the_old_name(
    tmp_path: Path,
) -> None:
    changed = NAMES.copy()
    changed[4] = b"another"  # what an inspection saw in it
    for names in (changed, NAMES):
        kept = complete(store(tmp_path), Disk(), names)
        assert kept.missing().tolist() == ([4] if names is changed else [])
    assert_exact(kept)


def test_rows_in_another_order_and_parts_of_them_are_found(tmp_path: Path) -> None:
    complete(store(tmp_path), Disk())
    kept = store(tmp_path).find(NAMES[[5, 2]])
    assert np.array_equal(kept.get(0), frame(decoded(5), SIZE, "crop"))
    assert np.array_equal(kept.get(1), frame(decoded(2), SIZE, "crop"))


def test_a_damaged_picture_is_decoded_from_its_file_and_all_are_made_again(tmp_path: Path) -> None:
    complete(store(tmp_path), Disk())
    for file in folder_of("pixels", tmp_path).rglob("rows.bin"):
        content = bytearray(file.read_bytes())
        content[0] ^= 1
        file.write_bytes(content)
    told: list[str] = []
    disk = Disk()
    kept = complete(store(tmp_path, told), disk)
    pictures = Pictures(ROWS, disk.read, size=SIZE, framing="crop", kept=kept)
    for number in range(COUNT):
        assert np.array_equal(pictures[number], frame(decoded(number), SIZE, "crop"))
    assert len(told) == 2  # one block of bytes, one of floats
    assert all("does not agree with its checksum" in line for line in told)
    assert_exact(complete(store(tmp_path), disk))


def test_a_file_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    complete(store(tmp_path), Disk())
    for file in folder_of("pixels", tmp_path).rglob("rows.bin"):
        file.write_bytes(file.read_bytes()[:-5])
    told: list[str] = []
    disk = Disk()
    assert_exact(complete(store(tmp_path, told), disk))
    assert len(told) == 2
    assert set(disk.read_count.values()) == {1}


def test_a_set_beyond_the_limit_is_not_decoded_for_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    disk = Disk()
    limit = COUNT * SIZE * SIZE * 3 - 1
    kept = complete(store(tmp_path, told, limit=limit), disk)
    assert kept.missing().tolist() == list(range(COUNT))
    assert disk.read_count == {"0.png": 1}
    assert "more than machine.pixels_gb = " in told[0]
    complete(store(tmp_path, told, limit=0), disk)
    assert len(told) == 1
    assert disk.read_count == {"0.png": 1}


def test_pictures_that_are_not_on_disk_stay_in_memory(tmp_path: Path) -> None:
    with store(tmp_path).keeping(1, COUNT) as keep:
        keep(NAMES[3].decode(), decoded(3))
    disk = Disk()
    pictures = Pictures(
        ROWS, disk.read, size=SIZE, framing="crop", memory_bytes=10**6,
        kept=store(tmp_path).find(NAMES),
    )  # fmt: skip
    for _ in range(2):
        for number in range(COUNT):
            assert np.array_equal(pictures[number], frame(decoded(number), SIZE, "crop"))
    assert disk.read_count == {f"{n}.png": 1 for n in range(COUNT) if n != 3}


def test_a_picture_is_not_to_be_written_to_wherever_it_comes_from(tmp_path: Path) -> None:
    kept = complete(store(tmp_path), Disk())
    for pictures in (
        Pictures(ROWS, Disk().read, size=SIZE, framing="crop", kept=kept),
        Pictures(ROWS, Disk().read, size=SIZE, framing="crop", memory_bytes=10**6),
    ):
        with pytest.raises(ValueError, match="read-only"):
            pictures[0][0, 0] = 1


def test_a_process_that_is_handed_them_maps_the_same_files(tmp_path: Path) -> None:
    kept = complete(store(tmp_path), Disk())
    pickled = pickle.dumps(kept)
    assert len(pickled) < 2000  # no pixels in it
    assert_exact(pickle.loads(pickled))  # noqa: S301  # our own
    clear("pixels", tmp_path)
    gone = pickle.loads(pickled)  # noqa: S301  # our own
    assert [gone.get(number) for number in range(COUNT)] == [None] * COUNT


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_processes_read_what_is_kept_and_decode_nothing(
    tmp_path: Path, workers: int
) -> None:
    bytes_only = np.flatnonzero(np.arange(COUNT) % 3 != 2)
    kept = complete(store(tmp_path), Disk())
    pictures = Pictures(ROWS, _refuse, size=SIZE, framing="crop", kept=kept)
    made = Batches(pictures, np.zeros(COUNT, np.int64), batch_size=3, workers=workers)
    for batch in made.plain(bytes_only):
        for pixels, number in zip(batch.pixels, batch.numbers.tolist(), strict=True):
            expected = frame(decoded(number), SIZE, "crop")
            assert np.array_equal(pixels.permute(1, 2, 0).numpy(), expected)


def _refuse(row: Row) -> Pixels:
    raise AssertionError(f"{row.path} was decoded")


def _complete_alone(folder: Path, barrier: object, reads: object) -> None:
    disk = Disk()
    barrier.wait()  # type: ignore[attr-defined]
    assert_exact(store(folder, []).complete(NAMES, ROWS, disk.read, Silent()))
    reads.put(sum(disk.read_count.values()))  # type: ignore[attr-defined]


def test_two_processes_decode_every_picture_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, reads = context.Barrier(2), context.SimpleQueue()
    processes = [
        context.Process(target=_complete_alone, args=(tmp_path, barrier, reads)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(reads.get() for _ in processes) == [0, COUNT]

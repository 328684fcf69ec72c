import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.labelled_images.task import TASK
from transfer.errors import ImageError, ManifestError
from transfer.images.pictures import Pixels, read_picture
from transfer.pixels.batches import Batch, Batches
from transfer.pixels.cache import Pictures
from transfer.pixels.views import TrainingViews
from transfer.processes import ALONE, Share
from transfer.samples.manifest import Row

SIZE = 8
ROWS = 23
TARGETS = np.arange(ROWS) % 3
NUMBERS = np.arange(3, ROWS)


def read(row: Row) -> Pixels:
    rng = np.random.default_rng(int(row.path.stem))
    pixels: Pixels = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
    return pixels


def batches(
    *,
    batch_size: int = 8,
    seed: int = 0,
    workers: int = 0,
    threads: int = 1,
    share: Share = ALONE.share,
) -> Batches:
    rows = [Row(Path(f"{number}.png")) for number in range(ROWS)]
    pictures = Pictures(rows, read, size=SIZE, framing="crop", memory_bytes=5 * SIZE * SIZE * 3)
    views = TrainingViews(TASK.augment(SIZE, TASK.settings), seed)
    return Batches(
        pictures,
        TARGETS,
        views,
        batch_size=batch_size,
        seed=seed,
        workers=workers,
        threads=threads,
        share=share,
    )


def of_kind(kind: str, *pictures: Pixels) -> Iterable[Batch]:
    rows = [Row(Path(f"{number}.tif")) for number in range(len(pictures))]
    held = Pictures(
        rows, lambda row: pictures[int(row.path.stem)], size=SIZE, framing="crop", memory_bytes=0
    )
    made = Batches(held, np.zeros(len(pictures), dtype=np.int64), batch_size=8)
    numbers = np.arange(len(pictures))
    return made.plain(numbers) if kind == "plain" else made.training(numbers, 1)


def order(read_batches: Iterable[Batch]) -> list[int]:
    return torch.cat([batch.numbers for batch in read_batches]).tolist()


def sample_by_row(read_batches: Iterable[Batch]) -> dict[int, bytes]:
    return {
        int(number): pixels.numpy().tobytes() + bytes([int(target)])
        for batch in read_batches
        for pixels, target, number in zip(*batch, strict=True)
    }


@pytest.fixture(scope="module")
def in_this_thread() -> list[dict[int, bytes]]:
    made = batches()
    return [sample_by_row(made.training(NUMBERS, epoch)) for epoch in (1, 2)]


@pytest.mark.parametrize(("workers", "threads"), [(2, 1), (1, 4), (0, 2), (0, 5)])
def test_samples_do_not_depend_on_processes_or_threads(
    in_this_thread: list[dict[int, bytes]], workers: int, threads: int
) -> None:
    made = batches(workers=workers, threads=threads)
    for epoch, expected in enumerate(in_this_thread, start=1):
        assert sample_by_row(made.training(NUMBERS, epoch)) == expected
        assert order(made.plain(NUMBERS)) == NUMBERS.tolist()


@pytest.mark.parametrize(("workers", "threads"), [(0, 1), (2, 1), (0, 4)])
def test_fixed_views_come_in_order_and_do_not_depend_on_what_is_beside_them(
    workers: int, threads: int
) -> None:
    made = batches(workers=workers, threads=threads, batch_size=6)
    alone = batches(seed=1, batch_size=1)
    assert order(made.fixed(NUMBERS, 1)) == NUMBERS.tolist()
    views = [sample_by_row(made.fixed(NUMBERS, view)) for view in (1, 2)]
    assert views == [sample_by_row(alone.fixed(NUMBERS, view)) for view in (1, 2)]
    plain = sample_by_row(made.plain(NUMBERS))
    assert all(views[0][row] != plain[row] for row in plain)
    assert all(views[0][row] != views[1][row] for row in plain)


def test_samples_do_not_depend_on_the_batch_size(in_this_thread: list[dict[int, bytes]]) -> None:
    for batch_size in (1, 5, 100):
        made = batches(batch_size=batch_size)
        assert sample_by_row(made.training(NUMBERS, 1)) == in_this_thread[0]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    first = order(batches().training(NUMBERS, 1))
    assert sorted(first) == NUMBERS.tolist()
    assert order(batches(batch_size=3, threads=2).training(NUMBERS, 1)) == first
    assert order(batches().training(NUMBERS, 2)) != first
    assert order(batches(seed=1).training(NUMBERS, 1)) != first
    made = batches()
    order(made.training(NUMBERS, 2))
    assert order(made.training(NUMBERS, 1)) == first


def test_each_epoch_has_views_of_its_own(in_this_thread: list[dict[int, bytes]]) -> None:
    one, two = in_this_thread
    assert all(one[number] != two[number] for number in NUMBERS.tolist())


def test_a_plain_batch_is_pictures_targets_and_numbers_in_order() -> None:
    numbers = np.array([20, 4, 9])
    (batch,) = batches().plain(numbers)
    assert batch.pixels.shape == (3, 3, SIZE, SIZE)
    assert batch.pixels.dtype == torch.uint8
    assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
    assert batch.numbers.tolist() == [20, 4, 9]
    assert batch.targets.tolist() == TARGETS[numbers].tolist()
    pictures = Pictures([Row(Path("4.png"))], read, size=SIZE, framing="crop", memory_bytes=0)
    assert np.array_equal(batch.pixels[1].permute(1, 2, 0).numpy(), pictures[0])


@pytest.mark.parametrize("batch_size", [1, 3, 7, 8, 20, 100])
def test_no_row_is_dropped_and_steps_tells_how_many_batches(batch_size: int) -> None:
    made = batches(batch_size=batch_size)
    for read_batches in (made.plain(NUMBERS), made.training(NUMBERS, 1)):
        sizes = [len(batch.numbers) for batch in read_batches]
        assert sum(sizes) == len(NUMBERS)
        assert len(sizes) == made.steps(len(NUMBERS))
        assert max(sizes) - min(sizes) <= 1


def test_no_rows_are_no_batches() -> None:
    assert list(batches().plain(NUMBERS[:0])) == []


@pytest.mark.parametrize("kind", ["plain", "training"])
def test_mixed_bit_depths_share_one_scale(kind: str) -> None:
    flat = np.full((SIZE, SIZE, 3), 51, np.uint8)
    deep = np.full((SIZE, SIZE, 3), 0.2, np.float32)
    (batch,) = of_kind(kind, flat, deep, flat)
    assert batch.pixels.dtype == torch.float32
    assert torch.allclose(batch.pixels, torch.tensor(0.2))


def test_different_bands_are_refused_by_name() -> None:
    with pytest.raises(ManifestError, match=r"'1\.tif' has 13 bands, '0\.tif' has 3"):
        list(
            of_kind(
                "plain",
                np.zeros((SIZE, SIZE, 3), np.float32),
                np.zeros((SIZE, SIZE, 13), np.float32),
            )
        )


def test_a_file_that_broke_since_it_was_inspected_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    pictures = Pictures(
        [Row(tmp_path / "a.png")], lambda row: read_picture(row.path), size=8, framing="crop"
    )
    made = Batches(pictures, np.zeros(1, dtype=np.int64), batch_size=1, threads=2)
    with pytest.raises(ImageError, match=r"a\.png"):
        list(made.plain(np.arange(1)))


def test_an_epoch_may_be_left_half_way() -> None:
    made = batches(batch_size=2)
    half = made.training(NUMBERS, 1)
    next(half)
    half.close()  # as Ctrl-C does
    assert sorted(order(made.training(NUMBERS, 1))) == NUMBERS.tolist()


def test_reading_leaves_the_random_state_that_dropout_draws_from_alone() -> None:
    before = torch.get_rng_state()
    order(batches(workers=1).plain(NUMBERS))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loader_process_that_the_system_ends_raises_nothing_in_a_step() -> None:
    made = batches(workers=1)
    order(made.plain(NUMBERS))
    (process,) = made._loader._iterator._workers  # type: ignore[union-attr]  # there is one
    subprocess.run(["kill", "-TERM", str(process.pid)], check=True)  # torch obeys its own process
    process.join()
    assert process.exitcode == 0


def test_processes_share_every_training_batch_and_deal_out_plain_ones() -> None:
    whole = batches(batch_size=7)
    parts = [batches(batch_size=7, share=Share(rank, 3)) for rank in range(3)]
    shared = zip(*(part.training(NUMBERS, 2, first=1, shared=True) for part in parts), strict=True)
    for batch, shares in zip(whole.training(NUMBERS, 2, first=1), shared, strict=True):
        for own, together in zip(batch, zip(*shares, strict=True), strict=True):
            assert torch.equal(own, torch.cat(together))
    dealt = [order([batch]) for part in parts for batch in part.dealt(NUMBERS)]
    assert sorted(dealt) == sorted(order([batch]) for batch in whole.plain(NUMBERS))
    assert order(parts[1].training(NUMBERS, 2)) == order(whole.training(NUMBERS, 2))

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transfer.errors import RecipeError
from transfer.pixels.views import TrainingViews, epoch_order, even_batches, fixed_view
from transfer.samples.manifest import Row

ROW = Row(Path("a.png"), label="cat")


class Draws:
    """An augmentation that gives what it drew from both of its random states."""

    def set_random_state(
        self, random_generator: np.random.Generator, py_random: random.Random
    ) -> None:
        self._numpy, self._python = random_generator, py_random

    def __call__(self, *, image: np.ndarray, row: Row) -> Mapping[str, Any]:
        self.row = row
        return {"image": np.array([self._numpy.random(), self._python.random()])}


def noise(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("moved", ["seed", "epoch", "row"])
def test_two_flips_are_independent_over_two_thousand_draws(moved: str) -> None:
    import albumentations as A  # noqa: PLC0415  # two seconds that only this test needs

    corners = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
    pipeline = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
    counts = np.zeros((2, 2), dtype=int)
    for number in range(2000):
        at = {"seed": 5, "epoch": 5, "row": 5} | {moved: number}
        view = TrainingViews(pipeline, at["seed"])(corners, ROW, at["epoch"], at["row"])
        counts[divmod(int(view[0, 0, 0]), 2)] += 1  # the corner that came to the top left
    # 500 of each expected; five standard deviations of a count are 97
    assert (np.abs(counts - 500) < 97).all(), counts


def test_a_view_depends_on_seed_epoch_and_row_alone() -> None:
    triples = list(itertools.product(range(3), repeat=3))

    def draw(seed: int, epoch: int, number: int) -> tuple[float, ...]:
        view = TrainingViews(Draws(), seed)(noise(2), ROW, epoch, number)
        return tuple(view.tolist())

    forward = [draw(*triple) for triple in triples]
    backward = [draw(*triple) for triple in reversed(triples)]
    assert forward == backward[::-1]
    assert len(set(forward)) == len(triples)


def test_what_was_drawn_before_does_not_matter() -> None:
    views = TrainingViews(Draws(), seed=0)
    first = views(noise(2), ROW, 1, 7)
    views(noise(2), ROW, 1, 8)
    assert np.array_equal(views(noise(2), ROW, 1, 7), first)


def test_a_fixed_view_draws_the_same_for_every_picture_whatever_was_drawn_before() -> None:
    draws = Draws()
    drawn = [fixed_view(draws, noise(2), number).tolist() for number in (1, 2, 3)]
    views = TrainingViews(draws, seed=5)
    views(noise(2), ROW, 1, 7)
    assert [views.fixed(noise(4), number).tolist() for number in (3, 2, 1)] == drawn[::-1]
    assert len({*map(tuple, drawn)}) == 3


def test_a_fixed_view_knows_nothing_of_the_row() -> None:
    draws = Draws()
    fixed_view(draws, noise(2), 1)
    assert (draws.row.label, draws.row.group, dict(draws.row.columns)) == ("", "", {})


def test_a_transform_may_ask_for_the_row() -> None:
    draws = Draws()
    TrainingViews(draws, seed=0)(noise(2), ROW, 1, 0)
    assert draws.row is ROW


def test_an_epoch_goes_through_every_row_in_an_order_of_its_own() -> None:
    numbers = np.arange(100, 160)
    orders = {
        (seed, epoch): tuple(epoch_order(numbers, seed, epoch).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert all(sorted(order) == numbers.tolist() for order in orders.values())
    assert len(set(orders.values())) == 9
    assert tuple(epoch_order(numbers, 1, 2).tolist()) == orders[1, 2]


CLASSES = np.array([2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("epoch", [0, 1, 2, 3, 17])
def test_a_balanced_epoch_draws_every_class_alike(epoch: int) -> None:
    numbers = np.arange(3, 20)  # 14 rows of class 0, one of class 1, two of class 2
    order = epoch_order(numbers, 5, epoch, CLASSES)
    counts = Counter(CLASSES[order].tolist())
    assert len(order) == len(numbers)
    assert set(order.tolist()) <= set(numbers.tolist())
    assert set(counts) == {0, 1, 2}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_class_is_gone_through_before_any_of_its_rows_comes_again() -> None:
    numbers = np.arange(len(CLASSES))
    seen: Counter[int] = Counter()
    for epoch in range(12):
        order = epoch_order(numbers, 0, epoch, CLASSES)
        for kind in range(3):
            own = np.flatnonzero(kind == CLASSES)
            seen.update(order[CLASSES[order] == kind].tolist())
            times = [seen[number] for number in own.tolist()]
            assert max(times) - min(times) <= 1, (epoch, kind, times)


def test_a_balanced_order_depends_on_seed_and_epoch_alone() -> None:
    numbers = np.arange(len(CLASSES))
    orders = {
        (seed, epoch): tuple(epoch_order(numbers, seed, epoch, CLASSES).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9
    assert tuple(epoch_order(numbers, 1, 2, CLASSES).tolist()) == orders[1, 2]


def test_classes_of_equal_size_make_a_balanced_epoch_a_plain_one() -> None:
    order = epoch_order(np.arange(30), 0, 4, np.arange(30) % 3)
    assert sorted(order.tolist()) == list(range(30))


def test_the_classes_of_a_balanced_order_are_shuffled_among_each_other() -> None:
    classes = np.arange(4000) % 2
    drawn = classes[epoch_order(np.arange(4000), 0, 1, classes)]
    assert abs(int((drawn[1:] == drawn[:-1]).sum()) - 2000) < 160  # five standard deviations


def test_rows_of_several_labels_cannot_be_balanced() -> None:
    with pytest.raises(RecipeError, match="several labels"):
        epoch_order(np.arange(4), 0, 1, np.eye(4, dtype=np.float32))


def test_no_row_makes_an_empty_balanced_order() -> None:
    assert len(epoch_order(np.arange(0), 0, 1, CLASSES)) == 0


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 32, 33, 64, 65, 100])
@pytest.mark.parametrize("batch_size", [1, 2, 32, 1000])
def test_even_batches_drop_no_row_and_differ_by_one_at_most(rows: int, batch_size: int) -> None:
    numbers = np.arange(rows) * 3
    batches = even_batches(numbers, batch_size)
    sizes = [len(batch) for batch in batches]
    assert [number for batch in batches for number in batch.tolist()] == numbers.tolist()
    assert len(batches) == sum(1 for _ in range(0, rows, batch_size))
    assert max(sizes, default=0) <= batch_size
    assert max(sizes, default=0) - min(sizes, default=0) <= 1

import itertools

import numpy as np
import pytest

from transfer.samples.dealing import Group, deal

USUAL = (0.7, 0.15, 0.15)


def singles(*sizes: int) -> list[Group]:
    return [Group([(number, 1)], 1) for number, size in enumerate(sizes) for _ in range(size)]


def dealt_counts(groups: list[Group], shares: tuple[float, ...], seed: int = 0) -> np.ndarray:
    kinds = 1 + max(number for group in groups for number, _ in group.classes)
    dealt = deal(groups, shares, np.zeros((len(shares), kinds), int).tolist(), seed)
    counts = np.zeros((len(shares), kinds), int)
    for group, split in zip(groups, dealt, strict=True):
        for number, rows in group.classes:
            counts[split, number] += rows
    return counts


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shares", [USUAL, (0.6, 0.2, 0.2), (0.6, 0.1, 0.2, 0.1), (0.9, 0.1)])
def test_single_rows_are_within_one_row_of_their_share(
    shares: tuple[float, ...], seed: int
) -> None:
    sizes = np.array([10, 11, 37, 60, 200, 23, 14, 15, 16, 17])
    counts = dealt_counts(singles(*sizes), shares, seed)
    assert np.abs(counts - np.outer(shares, sizes)).max() <= 1


def test_the_odd_rows_of_many_small_classes_do_not_all_go_to_one_split() -> None:
    counts = dealt_counts(singles(*[10] * 60), USUAL)
    assert counts.sum(axis=1).tolist() == pytest.approx([420, 90, 90], abs=3)
    assert np.abs(counts - np.outer(USUAL, [10] * 60)).max() <= 1


@pytest.mark.parametrize("size", [3, 4, 5])
def test_every_split_gets_a_group_of_each_class(size: int) -> None:
    assert (dealt_counts(singles(size, 100, size), USUAL) >= 1).all()


def test_a_large_group_does_not_take_the_place_of_the_last_ones() -> None:
    groups = [Group([(0, rows)], rows) for rows in (1000, 400, 3)]
    assert sorted(dealt_counts(groups, USUAL)[:, 0].tolist()) == [3, 400, 1000]
    assert dealt_counts(groups, USUAL)[0, 0] == 1000


def test_groups_of_any_size_come_close_to_the_shares() -> None:
    rng = np.random.default_rng(1)
    groups = [
        Group([(number % 4, rows)], rows)
        for number, rows in enumerate(rng.geometric(0.1, 400).tolist())
    ]
    counts = dealt_counts(groups, USUAL)
    assert np.abs(counts / counts.sum(axis=0) - np.array([USUAL]).T).max() < 0.01


def test_large_and_small_groups_go_to_every_split() -> None:
    groups = [Group([(0, rows)], rows) for rows in [64] * 20 + [1] * 200]
    dealt = deal(groups, USUAL, [[0]] * 3, 0)
    large = np.bincount(dealt[:20], minlength=3)
    assert large.tolist() == [14, 3, 3]


def test_groups_of_several_classes_keep_classes_and_sizes_near_their_shares() -> None:
    rng = np.random.default_rng(2)
    groups = []
    for _ in range(300):
        rows = rng.multinomial(rng.integers(2, 30), rng.dirichlet([0.5] * 5)).tolist()
        held = [(number, count) for number, count in enumerate(rows) if count]
        groups.append(Group(held, sum(rows)))
    counts = dealt_counts(groups, USUAL)
    assert np.abs(counts / counts.sum(axis=0) - np.array([USUAL]).T).max() < 0.02
    assert np.abs(counts.sum(axis=1) / counts.sum() - USUAL).max() < 0.01


def test_a_greedy_deal_is_not_far_from_the_best_of_all() -> None:
    rows = [9, 7, 6, 5, 4, 3, 2, 2]
    shares = (0.5, 0.25, 0.25)
    wanted = np.array(shares) * sum(rows)

    def miss(sums: np.ndarray) -> float:
        return float((((sums - wanted) ** 2) / wanted).sum())

    best = min(
        miss(np.bincount(choice, weights=rows, minlength=3))
        for choice in itertools.product(range(3), repeat=len(rows))
    )
    groups = [Group([(0, count)], count) for count in rows]
    assert miss(dealt_counts(groups, shares)[:, 0]) <= best + 0.5


def test_the_seed_moves_groups_and_nothing_else_does() -> None:
    groups = singles(50, 50)
    first = deal(groups, USUAL, [[0, 0]] * 3, 4)
    assert np.array_equal(first, deal(groups, USUAL, [[0, 0]] * 3, 4))
    assert not np.array_equal(first, deal(groups, USUAL, [[0, 0]] * 3, 5))


def test_every_group_may_come_to_every_split() -> None:
    groups = [Group([(0, rows)], rows) for rows in (3, 5, 6, 9) * 6]
    seen = [set() for _ in groups]
    for seed in range(60):
        for number, split in enumerate(deal(groups, USUAL, [[0]] * 3, seed).tolist()):
            seen[number].add(split)
    assert all(splits == {0, 1, 2} for splits in seen)


def test_what_a_split_has_already_counts() -> None:
    dealt = deal(singles(10), (0.5, 0.5), [[10], [0]], 0)
    assert dealt.tolist() == [1] * 10


def test_a_class_that_a_split_lacks_goes_there_first() -> None:
    held = [[70, 0], [15, 0], [15, 0]]
    assert sorted(deal(singles(0, 3), USUAL, held, 0).tolist()) == [0, 1, 2]


def test_groups_that_cannot_be_spread_give_none() -> None:
    both = [Group([(0, 1), (1, 1)], 2), Group([(0, 1), (2, 1)], 2), Group([(1, 1), (2, 1)], 2)]
    assert deal(both, (0.5, 0.5), [[0, 0, 0]] * 2, 0) is None


def test_nothing_to_deal_is_fine() -> None:
    assert deal([], (1.0,), [[3, 4]], 0).tolist() == []


def test_where_a_class_cannot_be_everywhere_the_largest_split_has_it_first() -> None:
    groups = [*singles(20), Group([(0, 1), (1, 1)], 1), Group([(2, 1)], 1), Group([(2, 1)], 1)]
    for seed in range(5):
        dealt = deal(groups, USUAL, [[0, 0, 0]] * 3, seed, strict=False)
        assert dealt[20] == 0
        assert sorted(dealt[21:].tolist())[0] == 0
        assert len(set(dealt[21:].tolist())) == 2


def test_rows_of_many_labels_weigh_no_more_in_size_than_others() -> None:
    rich = [Group([(number, 1) for number in range(6)], 1) for _ in range(40)]
    dealt = deal([*rich, *([Group([(6, 1)], 1)] * 160)], USUAL, [[0] * 7] * 3, 0, sizes=[0] * 3)
    assert np.bincount(dealt).tolist() == pytest.approx([140, 30, 30], abs=2)

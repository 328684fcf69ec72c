"""Near-duplicates: the same picture saved again, smaller, mirrored, cut or in other light."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from transfer.auditing.candidates import find_candidates
from transfer.auditing.registration import (
    agreement_as_seen,
    agreement_registered,
    detail_strength,
)
from transfer.auditing.sketches import VIEWS
from transfer.progress import Progress
from transfer.samples.side_by_side import side_by_side

_MOST = 3  # candidates of each picture and view
_SAMPLE = 400  # unrelated pairs that the threshold is taken from
_LOWEST, _HIGHEST = 0.36, 0.97  # of the threshold, whatever the set is like
_WORTH_REGISTERING = 0.6  # share of the threshold from which on a registration may lift it over
_AT_ONCE = 64
_SURE = 0.999  # whose Fisher transform is finite
_COPIES, _SAVING = 0.85, 2.5  # agreement of copies rich in detail; what saving costs, grey levels
_NORMAL = 1.4826  # median deviations in a standard deviation of a normal distribution


class NearPair(NamedTuple):
    """Two pictures, by number, that are one: how well they agree, and whether one is mirrored."""

    first: int
    second: int
    agreement: float
    mirrored: bool


@dataclass(frozen=True)
class Near:
    """What was found.

    Attributes:
        pairs: the best agreement first.
        threshold: of the agreement from which on two pictures of this set are one.
        unrelated: the median agreement of pictures that look alike and are not one.
    """

    pairs: tuple[NearPair, ...]
    threshold: float
    unrelated: float

    def groups(self, rows: int) -> list[list[int]]:
        """Return the numbers, of so many, that pairs connect: each group and all of them sorted."""
        ends = np.array([pair[:2] for pair in self.pairs], np.int64).reshape(-1, 2)
        edges = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(rows, rows))
        groups: dict[int, list[int]] = {}
        for number, group in enumerate(connected_components(edges, directed=False)[1].tolist()):
            groups.setdefault(group, []).append(number)
        return [members for members in groups.values() if len(members) > 1]


def near_duplicates(sketches: NDArray[np.uint8], seed: int, progress: Progress) -> Near:
    """Return the pairs of `sketches` (N, 64, 64) that are one picture.

    Candidates look alike as wholes; they are one where their details agree as no details of
    unrelated pictures of this set do. How those agree is seen in pairs that look alike, but less
    than others do: their Fisher-transformed correlations are taken as normal, by median and median
    deviation, and the threshold is where one false pair among all candidates is expected. A set of
    neighbouring frames is all near-duplicates; there only what is nearly equal is told.

    Args:
        sketches: of different pixels.
        seed: picks the sample.
        progress: told how far it is.
    """
    if len(sketches) <= _MOST:
        return Near((), _HIGHEST, 0.0)
    pairs, alike = find_candidates(sketches, _MOST, progress)
    threshold, unrelated = _threshold(sketches, alike, len(pairs), seed)
    bars = _bars(sketches, pairs, threshold)
    agreements = _agreements(sketches, pairs, bars, progress)
    best: dict[tuple[int, int], NearPair] = {}
    for (first, second, view), agreement, bar in zip(
        pairs.tolist(), agreements, bars.tolist(), strict=True
    ):
        if agreement >= bar:
            key = (min(first, second), max(first, second))
            pair = NearPair(*key, agreement, VIEWS[view].mirrored)
            best[key] = max(best.get(key, pair), pair, key=lambda one: one.agreement)
    ordered = sorted(best.values(), key=lambda pair: (-pair.agreement, pair))
    return Near(tuple(ordered), threshold, unrelated)


def _threshold(
    sketches: NDArray[np.uint8], alike: NDArray[np.int64], asked: int, seed: int
) -> tuple[float, float]:
    """Return the threshold for so many pairs, and the median agreement of unrelated ones."""
    chosen = np.random.default_rng(seed).permutation(len(alike))[:_SAMPLE]
    agreements = [
        agreement_as_seen(sketches[first], sketches[second], VIEWS[view])
        for first, second, view in alike[chosen].tolist()
    ]
    heights = np.arctanh(np.clip(agreements, -_SURE, _SURE))
    middle = float(np.median(heights))
    deviation = _NORMAL * float(np.median(np.abs(heights - middle)))
    far = middle + NormalDist().inv_cdf(1 - 1 / (2 + asked)) * deviation
    return float(np.clip(np.tanh(far), _LOWEST, _HIGHEST)), float(np.tanh(middle))


def _bars(
    sketches: NDArray[np.uint8], pairs: NDArray[np.int64], threshold: float
) -> NDArray[np.float64]:
    """Return the agreement that each pair needs (M,): of pictures rich in detail, more.

    Saving a picture anew adds an error of some grey levels to its details. Where those are strong,
    copies agree nearly wholly, and faces of one person, much alike, do not.
    """
    strength = np.array([detail_strength(each) for each in sketches])
    weaker = np.minimum(strength[pairs[:, 0]], strength[pairs[:, 1]]) ** 2
    bars: NDArray[np.float64] = np.maximum(threshold, _COPIES * weaker / (weaker + _SAVING**2))
    return bars


def _agreement(sketches: NDArray[np.uint8], pair: Sequence[int], enough: float) -> float:
    """Return how well a candidate agrees; registered only where that decides."""
    first, second, view = sketches[pair[0]], sketches[pair[1]], VIEWS[pair[2]]
    seen = agreement_as_seen(first, second, view)
    if seen >= enough or seen < _WORTH_REGISTERING * enough:
        return seen
    return max(seen, agreement_registered(first, second, view))


def _agreements(
    sketches: NDArray[np.uint8],
    pairs: NDArray[np.int64],
    bars: NDArray[np.float64],
    progress: Progress,
) -> list[float]:
    def agree(part: slice) -> list[float]:
        asked = zip(pairs[part].tolist(), bars[part].tolist(), strict=True)
        return [_agreement(sketches, pair, bar) for pair, bar in asked]

    starts = range(0, len(pairs), _AT_ONCE)
    parts = [slice(start, start + _AT_ONCE) for start in starts]
    agreements: list[float] = []
    with (
        progress.step("confirming", len(pairs), "pairs") as step,
        closing(side_by_side(agree, parts)) as found,
    ):
        for some in found:
            agreements += some
            step.advance(len(some))
    return agreements

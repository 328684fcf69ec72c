"""Pairs of pictures that may be copies of one another, out of all pairs, in bounded memory.

Each picture has a perceptual hash: its lowest frequencies (the discrete cosine transform of Zauner
2010, Implementation and Benchmarking of Perceptual Image Hash Functions), not cut to bits. The
hash of a mirrored or cut picture follows from the picture itself, so that copies of that kind are
found by asking with the hash of each view.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer.auditing.sketches import SIDE_PX, VIEWS, View
from transfer.progress import Progress

Hashes = NDArray[np.float32]
"""(N, 35), each of length 1; the product of two is how alike they are, in [-1, 1]."""

_FREQUENCIES = 6  # a side; from here on a shift of a tenth of the picture changes everything
_AT_ONCE = 4096  # sketches that are float at a time
_QUERIES, _PER_CHUNK = 128, 64
_LEAST_LIKE = 0.8  # copies of all kinds were at 0.84 or more, half of the nearest others below it


class Candidates(NamedTuple):
    """Pairs as (first, second, view number): the second, seen by the view, looks like the first.

    Attributes:
        pairs: (M, 3), that may be copies; each unordered pair once a view.
        unrelated: (N, 3), that look alike but less than others do, and are hardly ever copies.
    """

    pairs: NDArray[np.int64]
    unrelated: NDArray[np.int64]


def find_candidates(sketches: NDArray[np.uint8], most: int, progress: Progress) -> Candidates:
    """Return the pairs that are worth a closer look.

    For every picture and view they are those of its `most` nearest that look much like it. All
    N x N likenesses are computed, and never held for more than some hundred rows.

    Args:
        sketches: (N, 64, 64).
        most: others of each picture and view.
        progress: sees a bar over the pictures.
    """
    rows = len(sketches)
    plain = [_transform(sketches, view) for view in VIEWS]
    mean, std = plain[0].mean(axis=0), plain[0].std(axis=0)
    queries = _directions(plain[0], mean, std)
    found, unrelated = [], []
    with progress.step("comparing", rows * len(VIEWS), "images") as step:
        for number, transformed in enumerate(plain):
            index = _directions(transformed, mean, std)
            for first, others, likeness in _nearest(queries, index, min(most, rows - 1)):
                asked, place = np.nonzero(likeness >= _LEAST_LIKE)
                pairs = (first + asked, others[asked, place], np.full(len(asked), number))
                found.append(np.stack(pairs, axis=1))
                if VIEWS[number] == View():
                    own = np.arange(first, first + len(others))
                    last = (own, others[:, -1], np.full(len(own), number))
                    unrelated.append(np.stack(last, axis=1))
                step.advance(len(others))
    return Candidates(_once(np.concatenate(found)), np.concatenate(unrelated))


def _once(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out the second of (a, b) and (b, a), where a view is the same from both sides."""
    even = np.isin(pairs[:, 2], [number for number, view in enumerate(VIEWS) if _is_even(view)])
    pairs[even, :2] = np.sort(pairs[even, :2], axis=1)
    return np.unique(pairs, axis=0)


def _is_even(view: View) -> bool:
    return view.side == SIDE_PX


def _transform(sketches: NDArray[np.uint8], view: View) -> Hashes:
    """Return the lowest frequencies (N, 35) of what `view` shows; the mean of a picture is none."""
    down, across = _cosines(view.side, view.top), _cosines(view.side, view.left)
    if view.mirrored:
        across = across[:, ::-1]
    orders = np.add.outer(np.arange(_FREQUENCIES), np.arange(_FREQUENCIES))
    weights = np.sqrt(orders.reshape(-1)[1:]).astype(np.float32)
    parts = []
    for start in range(0, len(sketches), _AT_ONCE):
        part = sketches[start : start + _AT_ONCE].astype(np.float32)
        of_rows = np.einsum("nij,lj->nil", part, across, optimize=True)
        both = np.einsum("ki,nil->nkl", down, of_rows, optimize=True)
        parts.append(both.reshape(len(part), -1)[:, 1:] * weights)
    return np.concatenate(parts)


def _cosines(side: int, start: int) -> Hashes:
    """Return the cosines (6, 64) over pixels start..start+side-1, 0 outside."""
    places = (np.arange(side) + 0.5) / side
    cosines = np.zeros((_FREQUENCIES, SIDE_PX), np.float32)
    for order in range(_FREQUENCIES):
        cosines[order, start : start + side] = np.cos(np.pi * order * places) / side
    return cosines


def _directions(transformed: Hashes, mean: Hashes, std: Hashes) -> Hashes:
    """Return transforms in units of how much they vary in the set, each of length 1."""
    scaled = (transformed - mean) / np.maximum(std, 1e-6)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    directions: Hashes = (scaled / np.maximum(lengths, 1e-6)).astype(np.float32)
    return directions


def _nearest(
    queries: Hashes, index: Hashes, most: int
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
    """Yield blocks: the first row, the nearest others of each row from there, and how alike.

    There are `most` of them. They lie in those chunks whose best are best, so that only chunks have
    to be sorted.
    """
    rows = len(index)
    padding = -rows % _PER_CHUNK
    padded = np.concatenate([index, np.zeros((padding, index.shape[1]), np.float32)])
    chunks = min(most + 1, len(padded) // _PER_CHUNK)
    for first in range(0, len(queries), _QUERIES):
        block = queries[first : first + _QUERIES]
        likeness = block @ padded.T
        likeness[:, rows:] = -np.inf
        own = np.arange(len(block))
        likeness[own, first + own] = -np.inf
        in_chunks = likeness.reshape(len(block), -1, _PER_CHUNK)
        best = np.argpartition(-in_chunks.max(axis=2), chunks - 1, axis=1)[:, :chunks]
        places = (best[:, :, None] * _PER_CHUNK + np.arange(_PER_CHUNK)).reshape(len(block), -1)
        near = np.take_along_axis(likeness, places, axis=1)
        order = np.argsort(-near, axis=1)[:, :most]
        yield (
            first,
            np.take_along_axis(places, order, axis=1),
            np.take_along_axis(near, order, axis=1),
        )

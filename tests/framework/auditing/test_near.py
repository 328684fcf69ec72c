import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from transfer.auditing.candidates import find_candidates
from transfer.auditing.near import near_duplicates
from transfer.auditing.sketches import VIEWS, sketch
from transfer.progress import Silent

Pixels = NDArray[np.uint8]
UNRELATED, EACH, SIDE = 60, 3, 96


def drawn(seed: int) -> Pixels:
    """Return a picture of coarse and fine structure, (96, 96, 3)."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.normal(0, 1, (6, 6, 3)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(random.normal(0, 1, (32, 32, 3)), (SIDE, SIDE))
    return np.clip(128 + 40 * coarse + 20 * fine, 0, 255).astype(np.uint8)


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "JPEG of quality 60": lambda pixels: as_jpeg(pixels, 60),
    "0.7 of the size": lambda pixels: cv2.resize(pixels, (67, 67)),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "90 % of each side": lambda pixels: as_jpeg(pixels[4:90, 7:93], 95),
    "darker": lambda pixels: as_jpeg((pixels * 0.8).astype(np.uint8), 95),
    "brighter": lambda pixels: as_jpeg(np.clip(pixels * 1.2, 0, 255).astype(np.uint8), 95),
}


@pytest.fixture(scope="module")
def planted() -> NDArray[np.uint8]:
    """Sketches of unrelated pictures, and then of copies of the first of them, kind by kind."""
    pictures = [drawn(seed) for seed in range(UNRELATED)]
    copies = [copy(pictures[number]) for copy in COPIES.values() for number in range(EACH)]
    return np.stack([sketch(pixels) for pixels in pictures + copies])


def test_each_kind_of_copy_is_found_and_nothing_else(planted: NDArray[np.uint8]) -> None:
    near = near_duplicates(planted, 0, Silent())
    found = {(pair.first, pair.second): pair for pair in near.pairs}
    for kind, name in enumerate(COPIES):
        for number in range(EACH):
            pair = found.get((number, UNRELATED + kind * EACH + number))
            assert pair is not None, name
            assert pair.mirrored == (name == "mirrored")
    assert {first for first, _ in found} <= set(range(EACH)) | set(range(UNRELATED, len(planted)))
    groups = near.groups(len(planted))
    assert [group[0] for group in groups] == list(range(EACH))
    assert all(len(group) == 1 + len(COPIES) for group in groups)


def test_pictures_without_copies_have_none(planted: NDArray[np.uint8]) -> None:
    assert near_duplicates(planted[:UNRELATED], 0, Silent()).pairs == ()
    assert near_duplicates(planted[:2], 0, Silent()).pairs == ()


def test_the_nearest_by_blocks_are_those_of_all_products(planted: NDArray[np.uint8]) -> None:
    many = np.concatenate([planted, planted[::-1] // 2])  # more than a block, each with a near twin
    pairs = find_candidates(many, 1, Silent()).pairs
    plain = {frozenset(pair[:2]) for pair in pairs.tolist() if VIEWS[pair[2]] == VIEWS[0]}
    rows = len(planted)
    assert plain >= {frozenset({row, 2 * rows - 1 - row}) for row in range(EACH, UNRELATED)}


def test_a_flat_picture_is_like_nothing() -> None:
    flat = np.full((5, 64, 64), 90, np.uint8)
    assert near_duplicates(flat, 0, Silent()).pairs == ()


def test_deep_pixels_use_the_range_they_have() -> None:
    dark = np.linspace(0.10, 0.11, 64 * 64 * 5, dtype=np.float32).reshape(64, 64, 5)
    found = sketch(dark)
    assert (found.min(), found.max()) == (0, 255)

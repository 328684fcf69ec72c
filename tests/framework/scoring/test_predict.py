"""What is said of a picture, and of its views."""

import numpy as np
import pytest

from transfer.samples.predictions import Said
from transfer.scoring.predict import mean_over_views


def said(seed: int, *, embeddings: bool = True) -> Said:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(4, 5)).astype(np.float32) if embeddings else None
    return Said(generator.random((4, 3), dtype=np.float32), features)


def test_without_views_the_plain_answer_stays_as_it_is() -> None:
    plain = said(0)
    assert mean_over_views(plain, []) is plain


def test_the_plain_picture_counts_as_much_as_each_view() -> None:
    plain, *views = (said(seed) for seed in range(3))
    mean = mean_over_views(plain, iter(views))
    for row in range(4):
        for k in range(3):
            cells = [float(each.probabilities[row, k]) for each in (plain, *views)]
            assert mean.probabilities[row, k] == pytest.approx(sum(cells) / 3)
        for d in range(5):
            cells = [float(each.embeddings[row, d]) for each in (plain, *views)]
            assert mean.embeddings[row, d] == pytest.approx(sum(cells) / 3, abs=1e-6)
    assert (mean.probabilities.dtype, mean.embeddings.dtype) == (np.float32, np.float32)


def test_embeddings_that_a_view_lacks_are_not_averaged() -> None:
    assert mean_over_views(said(0), [said(1, embeddings=False)]).embeddings is None

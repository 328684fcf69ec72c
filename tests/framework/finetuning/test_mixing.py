import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from transfer.finetuning.mixing import mix
from transfer.settings import TrainingSettings

MIXUP, CUTMIX = TrainingSettings(mixup=0.8), TrainingSettings(cutmix=1.0)
BOTH = TrainingSettings(mixup=0.8, cutmix=1.0)
KEYS = [(seed, epoch, step) for seed in range(2) for epoch in range(1, 3) for step in range(20)]


def pictures(dtype: torch.dtype = torch.float32, rows: int = 5) -> Tensor:
    """Return random pictures with as many columns again as rows; channels-last."""
    draw = torch.Generator().manual_seed(0)
    bytes_ = torch.randint(0, 256, (rows, 3, 8, 16), generator=draw, dtype=torch.uint8)
    pixels = bytes_ if dtype == torch.uint8 else bytes_.float() / 255
    return pixels.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_mixup_blends_each_picture_with_its_partner(dtype: torch.dtype) -> None:
    pixels = pictures(dtype)
    scale = 255 if dtype == torch.uint8 else 1
    for key in KEYS:
        mixed = mix(pixels, MIXUP, key)
        assert mixed.pixels.dtype == torch.float32
        for row, partner in enumerate(mixed.partner.tolist()):
            own, other = pixels[row].double() / scale, pixels[partner].double() / scale
            expected = mixed.lam * own + (1 - mixed.lam) * other
            assert torch.allclose(mixed.pixels[row].double(), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_cutmix_pastes_one_box_and_lam_is_the_share_that_was_kept(dtype: torch.dtype) -> None:
    rows = torch.arange(5, dtype=dtype)
    pixels = rows.view(5, 1, 1, 1).expand(5, 3, 8, 16)  # the picture says whose it is
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    shares = []
    for key in KEYS:
        mixed = mix(pixels, CUTMIX, key)
        assert mixed.pixels.dtype == dtype
        boxes = set()
        for row, partner in enumerate(mixed.partner.tolist()):
            picture = mixed.pixels[row].numpy()
            assert set(np.unique(picture)) <= {row, partner}
            if partner == row:
                continue
            kept = sum(float(pixel) == row for pixel in picture[0].ravel())
            assert mixed.lam == pytest.approx(kept / (8 * 16))
            pasted = np.argwhere(picture[0] == partner)
            if len(pasted):
                (top, left), (bottom, right) = pasted.min(0), pasted.max(0) + 1
                assert len(pasted) == (bottom - top) * (right - left)
                boxes.add((top, left, bottom, right))
            assert (picture == picture[:1]).all()  # the same box in every band
        assert len(boxes) <= 1
        shares.append(mixed.lam)
    assert min(shares) < 0.5
    assert max(shares) > 0.9


@pytest.mark.parametrize("settings", [MIXUP, CUTMIX])
def test_partners_are_a_permutation_and_shares_lie_between_0_and_1(
    settings: TrainingSettings,
) -> None:
    drawn = [mix(pictures(), settings, key) for key in KEYS]
    assert all(sorted(mixed.partner.tolist()) == [0, 1, 2, 3, 4] for mixed in drawn)
    assert all(0 <= mixed.lam <= 1 for mixed in drawn)
    assert len({tuple(mixed.partner.tolist()) for mixed in drawn}) > 30  # of 120


def test_the_share_of_mixup_is_of_its_beta_distribution() -> None:
    one = torch.zeros(1, 1, 1, 1)
    shares = [mix(one, TrainingSettings(mixup=0.3), (0, 1, step)).lam for step in range(2000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * 0.3 + 1)), abs=0.015)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("settings", [MIXUP, CUTMIX, TrainingSettings()])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_memory_format_is_kept_and_what_was_given_is_left_alone(
    settings: TrainingSettings, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    pixels = pictures(dtype).contiguous(memory_format=layout)
    before = pixels.clone()
    mixed = mix(pixels, settings, (0, 1, 2))
    assert mixed.pixels.stride() == pixels.stride()
    assert torch.equal(pixels, before)


def test_the_same_key_draws_the_same_and_no_other_does() -> None:
    drawn = {key: mix(pictures(), BOTH, key) for key in reversed(KEYS)}
    again = {key: mix(pictures(), BOTH, key) for key in KEYS}
    assert all(torch.equal(drawn[key].pixels, again[key].pixels) for key in KEYS)
    assert all(drawn[key].lam == again[key].lam for key in KEYS)
    assert len({mixed.pixels.numpy().tobytes() for mixed in drawn.values()}) > 0.9 * len(KEYS)


def test_no_global_random_state_moves() -> None:
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    mix(pictures(), BOTH, (0, 1, 2))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002


def test_with_both_on_a_fair_coin_picks_one() -> None:
    pixels = pictures(torch.uint8, rows=2)
    pasted = sum(mix(pixels, BOTH, (0, 1, n)).pixels.dtype == torch.uint8 for n in range(1000))
    assert abs(pasted - 500) < 5 * math.sqrt(250)


def test_with_both_off_a_batch_is_what_it_was() -> None:
    pixels, targets = pictures(), torch.tensor([0, 1, 2, 0, 1])
    mixed = mix(pixels, TrainingSettings(), (0, 1, 2))
    assert mixed.pixels is pixels
    assert torch.equal(mixed.loss(lambda own: own.double().sum(), targets), torch.tensor(4.0))


def test_the_loss_is_that_of_mixed_labels() -> None:
    draw = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 3, generator=draw)
    targets = torch.tensor([0, 1, 2, 0, 1])
    for key in KEYS[:5]:
        mixed = mix(pictures(), MIXUP, key)
        loss = mixed.loss(lambda own: F.cross_entropy(logits, own, reduction="none"), targets)
        one_hot = F.one_hot(targets, 3).double()
        soft = mixed.lam * one_hot + (1 - mixed.lam) * one_hot[mixed.partner]
        expected = -(soft * logits.double().log_softmax(1)).sum(1)
        assert torch.allclose(loss.double(), expected, atol=1e-5)

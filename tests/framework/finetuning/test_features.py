from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from transfer.cache.block import as_names
from transfer.cache.row_store import RowStore
from transfer.finetuning.devices import Compute
from transfer.finetuning.features import FeatureCache, backbone_digest
from transfer.finetuning.probe import Labelled, cross_entropy, fit_linear_head
from transfer.network.backbone import Network, Normalization, build_network
from transfer.pixels.batches import Batch, Batches
from transfer.samples.manifest import Row
from transfer.settings import ProbeSettings

ALL = np.arange(48)


class Reader:
    """Reads plain views, and remembers which rows it was asked for."""

    def __init__(self, batches: Batches) -> None:
        self._batches, self.asked = batches, list[int]()

    def __call__(self, numbers: np.ndarray) -> Iterator[Batch]:
        for batch in self._batches.plain(numbers):
            self.asked += batch.numbers.tolist()
            yield batch


@pytest.fixture
def reader(batches: Batches) -> Reader:
    return Reader(batches)


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(
        rows=[Row(Path(f"{number}.png")) for number in ALL],
        pixels=as_names(f"{number:016x}" for number in ALL),
        view="32 px crop",
        passes="demo seed 0",
        store=RowStore("features", 10**9, pytest.fail, tmp_path),
    )


def exact(network: Network, batches: Batches, numbers: np.ndarray) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network.eval().embed(b.pixels) for b in batches.plain(numbers)])


def test_a_second_call_computes_nothing(
    build, cache: FeatureCache, reader: Reader, compute: Compute
) -> None:
    of_kind = {"fitted on": cache.fitted_on, "scored": cache.scored}
    first = {kind: of(build(), ALL, reader, compute) for kind, of in of_kind.items()}
    assert sorted(reader.asked) == sorted([*ALL, *ALL])
    reader.asked.clear()
    for kind, of in of_kind.items():
        again = of(build(), ALL, reader, compute)
        assert torch.equal(again, first[kind])
    assert reader.asked == []


def test_features_come_in_the_order_asked_for(
    build, cache: FeatureCache, reader: Reader, batches: Batches, compute: Compute
) -> None:
    numbers = np.array([7, 30, 2, 7, 45])  # a row may come twice
    cache.scored(build(), np.array([30, 45, 1]), reader, compute)
    for each in (cache, replace(cache, store=RowStore("features", 0, pytest.fail))):
        features = each.scored(build(), numbers, reader, compute)
        for position, number in enumerate(numbers):
            (alone,) = exact(build(), batches, np.array([number]))
            assert torch.allclose(features[position], alone, atol=1e-4)


def test_added_rows_compute_only_themselves(
    build, cache: FeatureCache, reader: Reader, batches: Batches, compute: Compute
) -> None:
    cache.scored(build(), ALL[10:20], reader, compute)
    reader.asked.clear()
    features = cache.scored(build(), ALL[:30], reader, compute)
    assert reader.asked == [*range(10), *range(20, 30)]
    assert torch.allclose(features, exact(build(), batches, ALL[:30]), atol=1e-4)


def test_rows_of_equal_pixels_are_computed_once(
    build, cache: FeatureCache, reader: Reader, compute: Compute
) -> None:
    twins = replace(cache, pixels=as_names(["same"] * len(ALL)))
    features = twins.scored(build(), ALL[:5], reader, compute)
    assert reader.asked == [0]
    assert torch.equal(features, features[:1].expand(5, -1))


def test_the_name_and_the_number_of_a_row_do_not_matter_but_its_pixels_do(
    build, cache: FeatureCache, reader: Reader, compute: Compute
) -> None:
    first = cache.scored(build(), ALL, reader, compute)
    reader.asked.clear()
    moved = replace(
        cache,
        rows=[Row(Path("elsewhere.png"), "label", "group")] * 48,
        pixels=cache.pixels[::-1],
    )
    assert torch.equal(moved.scored(build(), ALL, reader, compute), first.flip(0))
    assert reader.asked == []


def change_weight(network: Network) -> None:
    network.backbone.get_parameter("layer4.0.conv1.weight").data[0, 0, 0, 0] += 1e-3


def change_statistic(network: Network) -> None:
    name = next(n for n, _ in network.backbone.named_buffers() if n.endswith("running_mean"))
    network.backbone.get_buffer(name)[0] += 1e-3


def change_normalization(network: Network) -> None:
    network.normalization = Normalization((0.1,) * 3, (0.2,) * 3)


def change_name(network: Network) -> None:
    network.name = "another"


@pytest.mark.parametrize(
    "change", [change_weight, change_statistic, change_normalization, change_name]
)
def test_another_backbone_has_other_features(build, change: Callable[[Network], None]) -> None:
    network = build()
    change(network)
    assert backbone_digest(network) != backbone_digest(build())


def test_the_head_and_the_layout_in_memory_change_no_digest(build) -> None:
    network = build()
    torch.nn.init.ones_(network.head.weight)
    assert backbone_digest(network) == backbone_digest(build())
    network.to(memory_format=torch.contiguous_format)
    assert backbone_digest(network) == backbone_digest(build())


def test_what_features_depend_on_asks_for_others(
    build, cache: FeatureCache, reader: Reader, compute: Compute
) -> None:
    part = ALL[:4]
    cache.fitted_on(build(), part, reader, compute)
    cache.fitted_on(build(), part, reader, compute, epoch=1)
    others = {
        "weights": lambda: cache.fitted_on(build(seed=1), part, reader, compute),
        "view": lambda: replace(cache, view="64 px").fitted_on(build(), part, reader, compute),
        "precision": lambda: cache.fitted_on(
            build(), part, reader, replace(compute, precision="bf16")
        ),
        "scoring": lambda: cache.scored(build(), part, reader, compute),
        "epoch": lambda: cache.fitted_on(build(), part, reader, compute, epoch=2),
        "passes": lambda: replace(cache, passes="seed 1").fitted_on(
            build(), part, reader, compute, epoch=1
        ),
        "row of a view": lambda: replace(cache, rows=[Row(Path(f"{n}.png"), "a") for n in ALL])
        .fitted_on(build(), part, reader, compute, epoch=1),
    }  # fmt: skip
    for what, compute_other in others.items():
        reader.asked.clear()
        compute_other()
        assert reader.asked == part.tolist(), what
    reader.asked.clear()
    replace(cache, passes="seed 1").fitted_on(build(), part, reader, compute)  # plain views
    assert reader.asked == []


def test_only_rows_that_are_fitted_on_are_rounded(
    build, cache: FeatureCache, reader: Reader, batches: Batches, compute: Compute
) -> None:
    rounded = replace(compute, precision="bf16")
    for _ in range(2):
        scored = cache.scored(build(), ALL, reader, rounded)
        fitted = cache.fitted_on(build(), ALL, reader, rounded)
        plain = cache.fitted_on(build(), ALL, reader, compute)
        expected = exact(build(), batches, ALL)
        assert torch.allclose(scored, expected, rtol=1e-5, atol=1e-6)
        assert not torch.equal(scored, scored.half().float())
        assert torch.allclose(plain.float(), expected, rtol=2**-10, atol=1e-6)
        assert not torch.equal(plain.float(), expected)
        assert fitted.dtype == torch.float16
        assert not torch.equal(fitted, plain)


def test_features_beyond_float16_stay_float32(
    build, cache: FeatureCache, reader: Reader, batches: Batches, compute: Compute
) -> None:
    network = build()
    embed = network.embed
    network.embed = lambda pixels: embed(pixels) * 1e6
    features = cache.fitted_on(network, ALL, reader, compute)
    assert features.dtype == torch.float32
    assert torch.allclose(features, exact(build(), batches, ALL) * 1e6, rtol=1e-3)


def test_the_cache_changes_no_feature(
    build, cache: FeatureCache, reader: Reader, compute: Compute
) -> None:
    without = replace(cache, store=RowStore("features", 0, pytest.fail))
    for _ in range(2):
        for one, other in (
            (cache.fitted_on, without.fitted_on), (cache.scored, without.scored),
        ):  # fmt: skip
            assert torch.equal(
                one(build(), ALL, reader, compute), other(build(), ALL, reader, compute)
            )


def test_a_probe_of_rounded_features_says_the_same_within_a_thousandth(
    build, cache: FeatureCache, reader: Reader, batches: Batches, compute: Compute
) -> None:
    # 11 bits of a float16 are 5e-4 of a feature; probabilities move by less than 1e-3.
    targets = torch.from_numpy(ALL % 3)
    train, val = ALL[:36], ALL[36:]
    said = []
    for features in (
        exact(build(), batches, train), cache.fitted_on(build(), train, reader, compute),
    ):  # fmt: skip
        of_val = cache.scored(build(), val, reader, compute)
        head = fit_linear_head(
            Labelled(features, targets[train]),
            Labelled(of_val, targets[val]),
            cross_entropy(3),
            ProbeSettings(l2=(0.03,)),
        )
        said.append((of_val @ head.weight.T + head.bias).softmax(dim=1))
    assert (said[0] - said[1]).abs().max() < 1e-3
    assert not torch.equal(said[0], said[1])


def test_a_row_alone_has_the_bits_that_it_has_among_others(
    build, cache: FeatureCache, reader: Reader, compute: Compute
) -> None:
    alone = replace(cache, store=RowStore("features", 0, pytest.fail))
    for of in (alone.scored, alone.fitted_on):
        together = of(build(), ALL, reader, compute)
        for number in ALL[:5]:
            assert torch.equal(of(build(), ALL[[number]], reader, compute)[0], together[number])
        assert torch.equal(of(build(), ALL[3:46:2], reader, compute), together[3:46:2])


def test_batches_of_any_size_give_a_row_the_same_bits(
    cache: FeatureCache, compute: Compute
) -> None:
    torch.manual_seed(0)
    network, alone = (
        build_network("resnet10t", 3),
        replace(cache, store=RowStore("features", 0, pytest.fail)),
    )
    pixels = torch.randint(0, 256, (48, 3, 64, 64), dtype=torch.uint8)
    pixels = pixels.contiguous(memory_format=torch.channels_last)

    def read_by(rows: int) -> Callable[[np.ndarray], Iterator[Batch]]:
        def read(numbers: np.ndarray) -> Iterator[Batch]:
            for part in torch.from_numpy(numbers).split(rows):
                yield Batch(pixels[part], torch.zeros(len(part)), part)

        return read

    for of in (alone.scored, alone.fitted_on):
        expected = of(network, ALL, read_by(48), compute)
        for rows in (5, 21, 32):
            assert torch.equal(of(network, ALL, read_by(rows), compute), expected)


def test_an_interrupt_leaves_nothing_so_that_the_same_batches_come_again(
    build, cache: FeatureCache, reader: Reader, batches: Batches, compute: Compute, tmp_path: Path
) -> None:
    def interrupted(numbers: np.ndarray) -> Iterator[Batch]:
        yield next(batches.plain(numbers))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.scored(build(), ALL, interrupted, compute)
    assert list(tmp_path.rglob("rows.bin")) == []
    features = cache.scored(build(), ALL, reader, compute)
    assert reader.asked == ALL.tolist()
    assert torch.allclose(features, exact(build(), batches, ALL), atol=1e-4)


def test_damaged_features_are_computed_anew(
    build, cache: FeatureCache, reader: Reader, compute: Compute, tmp_path: Path
) -> None:
    first = cache.scored(build(), ALL, reader, compute).clone()
    (file,) = tmp_path.rglob("rows.bin")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    told: list[str] = []
    told_cache = replace(cache, store=RowStore("features", 10**9, told.append, tmp_path))
    reader.asked.clear()
    assert torch.equal(told_cache.scored(build(), ALL, reader, compute), first)
    assert reader.asked == ALL.tolist()
    assert len(told) == 1


_PROCESS = """
import sys, torch, numpy as np
from pathlib import Path
from types import SimpleNamespace
from transfer.finetuning.devices import Compute
from transfer.cache.block import as_names
from transfer.cache.row_store import RowStore
from transfer.finetuning.features import FeatureCache
from transfer.network.backbone import build_network
from transfer.pixels.batches import Batch
from transfer.samples.manifest import Row

torch.manual_seed(0)
network, computed = build_network("test_resnet", 2), 0
def read(numbers):
    global computed
    for number in numbers.tolist():
        computed += 1
        pixels = torch.full((1, 3, 32, 32), number, dtype=torch.uint8)
        yield Batch(pixels, torch.zeros(1), torch.tensor([number]))
rows = [Row(Path(str(n))) for n in range(40)]
store = RowStore("features", 10**9, lambda _: None, Path(sys.argv[1]))
cache = FeatureCache(rows, as_names(f"{n:016x}" for n in range(40)), "view", "", store)
compute = Compute(torch.device("cpu"), "fp32", 1, "")
features = cache.scored(network, np.arange(40), read, compute)
print(computed, float(features.double().sum()))
"""


@pytest.mark.slow
def test_two_processes_compute_every_row_once(
    start_python: Callable[..., Any], tmp_path: Path
) -> None:
    processes = [start_python(_PROCESS, tmp_path) for _ in range(2)]
    said = [process.communicate()[0].split() for process in processes]
    assert sorted(int(computed) for computed, _ in said) == [0, 40]
    assert said[0][1] == said[1][1]

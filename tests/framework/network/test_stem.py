import numpy as np
import pytest
import torch
from torch import Tensor

from transfer.errors import RecipeError, WeightsError
from transfer.network.backbone import Network, Normalization, build_network
from transfer.network.state import load_backbone
from transfer.network.stem import Stem, adapt_stem, stem_normalization

COPY = "copy-rgb+zero"
RGB = Normalization((0.1, 0.5, 0.9), (0.2, 0.3, 0.4))
FILTERS = "conv1.0.weight"


@pytest.fixture
def rgb() -> Network:
    torch.manual_seed(0)
    network = build_network("test_resnet", 3, RGB).eval()
    torch.nn.init.normal_(network.head.weight)
    return network


def measured(bands: int) -> Normalization:
    return Normalization(
        tuple(np.linspace(0.2, 0.6, bands).tolist()), tuple(np.linspace(0.5, 0.7, bands).tolist())
    )


def with_bands(rgb: Network, bands: tuple[str, ...], policy: str) -> Network:
    """Return a network for pictures of these bands, with the weights of `rgb`."""
    stem = Stem(bands, policy)
    numbers = stem_normalization(RGB, stem, lambda: measured(len(bands)))
    network = build_network("test_resnet", 3, numbers)
    assert load_backbone(network, rgb.backbone.state_dict(), "a file", stem) == []
    network.head.load_state_dict(rgb.head.state_dict())
    return network.eval()


def pixels(bands: int) -> Tensor:
    return torch.rand(2, bands, 32, 32, generator=torch.Generator().manual_seed(1))


def filters_of(rgb: Network, bands: tuple[str, ...], policy: str) -> Tensor:
    state = rgb.backbone.state_dict()
    return adapt_stem(rgb.backbone, state, Stem(bands, policy), "a file")[FILTERS]


@pytest.mark.parametrize(
    ("bands", "places"),
    [
        (("red", "green", "blue", "nir"), [0, 1, 2]),
        (("nir", "Blue", "Green", "Red"), [3, 2, 1]),
        (("B1", "B2", "B3", "B4", "B5"), [3, 2, 1]),
        (("R", "x", "G", "B"), [0, 2, 3]),
        (("b", "g", "r"), [2, 1, 0]),
        (("B02", "B03", "B04", "B08"), [2, 1, 0]),
    ],
)
def test_with_copied_filters_logits_start_as_those_of_the_rgb_model(
    rgb: Network, bands: tuple[str, ...], places: list[int]
) -> None:
    picture = pixels(len(bands))
    with torch.inference_mode():
        expected = rgb(picture[:, places])
        assert torch.allclose(with_bands(rgb, bands, COPY)(picture), expected, atol=1e-5)


def test_the_other_bands_start_at_zero_and_learn(rgb: Network) -> None:
    network = with_bands(rgb, ("red", "green", "blue", "nir"), COPY)
    filters = network.backbone.get_parameter(FILTERS)
    assert not filters[:, 3].any()
    network(pixels(4)).square().sum().backward()
    assert filters.grad[:, 3].any()


def test_three_bands_without_names_are_red_green_and_blue(rgb: Network) -> None:
    for policy in (COPY, "mean", "tile", "random"):
        assert torch.equal(filters_of(rgb, (), policy), rgb.backbone.state_dict()[FILTERS])


@pytest.mark.parametrize("policy", [COPY, "mean", "tile"])
def test_one_grey_band_has_the_sum_of_the_filters(rgb: Network, policy: str) -> None:
    own = rgb.backbone.state_dict()[FILTERS]
    grey = filters_of(rgb, ("grey",), policy)
    assert torch.allclose(grey[:, 0], own[:, 0] + own[:, 1] + own[:, 2], atol=1e-6)


@pytest.mark.parametrize("bands", [("vv", "vh"), ("vv", "vh", "dem"), tuple("abcdefg")])
def test_mean_and_tile_answer_equal_bands_as_the_rgb_model_answers_grey(
    rgb: Network, bands: tuple[str, ...]
) -> None:
    own = rgb.backbone.state_dict()[FILTERS]
    mean, tile = (filters_of(rgb, bands, policy) for policy in ("mean", "tile"))
    assert mean.shape == tile.shape == (len(own), len(bands), *own.shape[2:])
    assert torch.allclose(mean.sum(dim=1), own.sum(dim=1), atol=1e-5)
    for band in range(len(bands)):
        assert torch.allclose(mean[:, band], own.mean(dim=1) * 3 / len(bands), atol=1e-6)
        assert torch.allclose(tile[:, band], own[:, band % 3] * 3 / len(bands), atol=1e-6)


def test_random_filters_are_left_as_they_were_drawn_and_are_listed(rgb: Network) -> None:
    bands = ("vv", "vh")
    network = build_network("test_resnet", 3, measured(2))
    before = network.backbone.get_parameter(FILTERS).clone()
    stem = Stem(bands, "random")
    (line,) = load_backbone(network, rgb.backbone.state_dict(), "a file", stem)
    assert line.startswith(FILTERS)
    assert torch.equal(network.backbone.get_parameter(FILTERS), before)


@pytest.mark.parametrize("bands", [("vv", "vh"), ("a", "b", "c"), ("red", "R", "green", "blue")])
def test_bands_without_colours_are_refused_with_the_way_out(
    rgb: Network, bands: tuple[str, ...]
) -> None:
    with pytest.raises(RecipeError, match="take --set stem=mean, tile or random") as caught:
        filters_of(rgb, bands, COPY)
    assert f"{bands[0]!r}, {bands[1]!r}" in str(caught.value)
    assert "a file: conv1.0.weight" in str(caught.value)


def test_weights_of_as_many_bands_are_taken_as_they_are(rgb: Network) -> None:
    five = with_bands(rgb, ("red", "green", "blue", "nir", "swir"), COPY)
    for policy in (COPY, "mean", "tile", "random"):
        adapted = adapt_stem(
            five.backbone, five.backbone.state_dict(), Stem(tuple("abcde"), policy), "a run"
        )
        assert torch.equal(adapted[FILTERS], five.backbone.state_dict()[FILTERS])


def test_filters_of_five_bands_become_filters_of_two_by_mean_or_tile(rgb: Network) -> None:
    five = with_bands(rgb, ("red", "green", "blue", "nir", "swir"), COPY).backbone
    own = five.state_dict()[FILTERS]
    mean, tile = (
        adapt_stem(five, five.state_dict(), Stem(("a", "b"), policy), "a run")[FILTERS]
        for policy in ("mean", "tile")
    )
    assert torch.allclose(mean[:, 1], own.mean(dim=1) * 5 / 2, atol=1e-6)
    assert torch.allclose(tile, own[:, :2] * 5 / 2, atol=1e-6)
    for bands in (("a", "b"), ("red", "green", "blue", "nir")):
        with pytest.raises(RecipeError, match="filters for 5 bands"):
            adapt_stem(five, five.state_dict(), Stem(bands, COPY), "a run")


def test_filters_of_a_run_go_to_the_bands_of_the_same_names(rgb: Network) -> None:
    own, numbers = rgb.backbone.state_dict(), measured(3)
    stem = Stem(("green", "B", "nir", "red"), COPY, trained=("nir", "red", "green"))
    filters = adapt_stem(rgb.backbone, own, stem, "a run")[FILTERS]
    assert torch.equal(filters[:, [2, 3, 0]], own[FILTERS])
    assert not filters[:, 1].any()
    mean = stem_normalization(numbers, stem, lambda: measured(4)).mean
    assert mean == (numbers.mean[2], measured(4).mean[1], numbers.mean[0], numbers.mean[1])


def test_filters_of_other_bands_do_not_pass_for_red_green_and_blue(rgb: Network) -> None:
    for bands in ((), ("red", "green", "blue")):
        stem = Stem(bands, COPY, trained=("nir", "red", "green"))
        with pytest.raises(RecipeError, match="has filters for nir, red, green, and stem = "):
            adapt_stem(rgb.backbone, rgb.backbone.state_dict(), stem, "a run")


def test_weights_of_other_bands_are_never_silently_left_random(rgb: Network) -> None:
    network = build_network("test_resnet", 3, measured(4))
    with pytest.raises(WeightsError, match="the weights are of other bands") as caught:
        load_backbone(network, rgb.backbone.state_dict(), "a file")
    assert "(--set bands=...)" in str(caught.value)


def test_colours_keep_the_backbone_s_numbers_and_others_get_what_was_measured() -> None:
    four = measured(4)
    numbers = stem_normalization(RGB, Stem(("nir", "red", "green", "blue"), COPY), lambda: four)
    assert numbers == Normalization((four.mean[0], *RGB.mean), (four.std[0], *RGB.std))
    assert stem_normalization(RGB, Stem(("a", "b"), "mean"), lambda: measured(2)) == measured(2)


def test_colours_alone_are_not_measured() -> None:
    def never() -> Normalization:
        raise AssertionError

    assert stem_normalization(RGB, Stem(("b", "g", "r"), COPY), never) == Normalization(
        RGB.mean[::-1], RGB.std[::-1]
    )

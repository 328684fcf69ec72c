import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from transfer.errors import StoreError
from transfer.network.backbone import Network
from transfer.samples.predictions import Thresholds
from transfer.shipping.model_files import ModelCard, read_card, read_weights, write_model

MakeCard = Callable[..., ModelCard]


def change(folder: Path, **values: object) -> None:
    """Write other values into the card; None takes a key away."""
    about = json.loads((folder / "model.json").read_text()) | values
    kept = {name: value for name, value in about.items() if value is not None}
    (folder / "model.json").write_text(json.dumps(kept))


def test_what_was_written_is_read(folder: Path, network: Network, make_card: MakeCard) -> None:
    assert read_card(folder) == make_card()
    weights = read_weights(folder)
    assert weights.keys() == network.state_dict().keys()
    assert all(torch.equal(weights[name], t) for name, t in network.state_dict().items())


def test_a_model_is_two_files_without_pickle(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "network.safetensors"]
    with safe_open(folder / "network.safetensors", framework="pt") as file:
        assert list(file.keys())
    assert json.loads((folder / "model.json").read_text())["classes"] == ["cat", "dog", "newt"]


def test_names_of_any_script_survive(tmp_path: Path, network: Network, make_card: MakeCard) -> None:
    classes = ("żółw", "海 龜", 'a "b"\n')
    write_model(tmp_path / "é", network, make_card(classes=classes))
    assert read_card(tmp_path / "é").classes == classes


def test_a_folder_without_a_model_is_refused_by_name(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "gone"):
        with pytest.raises(StoreError, match="no model of this framework") as caught:
            read_card(place)
        assert str(place) in str(caught.value)
        with pytest.raises(StoreError, match="cannot be read"):
            read_weights(place)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b"{}", b"\xff\xfe", b'{"format": 1}', b'{"format": 1, "x": 2}'],
)
def test_a_card_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.json").write_bytes(content)
    with pytest.raises(StoreError, match="no model of this framework"):
        read_card(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"classes": None},
        {"recipe": None},
        {"classes": 3},
        {"extra": 1},
        {"target": "of another age"},
        {"head": {"kind": "of another age"}},
    ],
)
def test_a_card_that_lacks_or_adds_something_is_refused(
    folder: Path, values: dict[str, object]
) -> None:
    change(folder, **values)
    with pytest.raises(StoreError, match="no model of this framework"):
        read_card(folder)


def test_a_model_of_another_format_is_refused_with_both(folder: Path) -> None:
    change(folder, format=3)
    with pytest.raises(StoreError, match="its format is 3; this version reads 1 to 2"):
        read_card(folder)


def test_a_model_of_the_first_format_has_a_linear_head(folder: Path, make_card: MakeCard) -> None:
    change(folder, format=1, head=None)
    assert read_card(folder) == make_card(head={"kind": "linear"})


@pytest.mark.parametrize("length", [0, 7, 100, 20_000])
def test_weights_that_were_cut_off_are_refused(folder: Path, length: int) -> None:
    path = folder / "network.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StoreError, match="the weights in .* cannot be read"):
        read_weights(folder)


def test_thresholds_are_kept_and_a_card_from_before_them_is_read(
    tmp_path: Path, network: Network, make_card: MakeCard
) -> None:
    card = make_card(target="multi_label", thresholds=Thresholds((0.25, 0.5, 0.1), "calibration"))
    write_model(tmp_path, network, card)
    assert read_card(tmp_path) == card
    change(tmp_path, thresholds=None)
    assert read_card(tmp_path).thresholds is None

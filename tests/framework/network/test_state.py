from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from transfer.errors import WeightsError
from transfer.network.backbone import Network, build_network
from transfer.network.state import load_backbone, read_card, read_state


class Malice:
    """Writes a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.place,)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build_network("test_resnet", 3)


@pytest.fixture
def other_state() -> dict[str, Tensor]:
    """Weights of another network of the same kind."""
    torch.manual_seed(1)
    return dict(build_network("test_resnet", 3).backbone.state_dict())


def test_a_safetensors_file_gives_its_tensors_as_float32(tmp_path: Path) -> None:
    numbers = torch.tensor([0.5, -2.0, 3.0])
    save_file({"a": numbers.half(), "steps": torch.tensor(7)}, tmp_path / "x.safetensors")
    state = read_state(tmp_path / "x.safetensors")
    assert state["a"].dtype == torch.float32
    assert torch.equal(state["a"], numbers)
    assert torch.equal(state["steps"], torch.tensor(7))


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_a_file_of_tensors_alone_is_read_whatever_wraps_them(tmp_path: Path, suffix: str) -> None:
    weight = torch.arange(3.0)
    for content in (
        {"conv1.weight": weight},
        {"state_dict": {"module.conv1.weight": weight}, "epoch": 3},
        {"model": {"backbone.conv1.weight": weight}},
        {"state_dict": {"module.backbone.conv1.weight": weight}},
    ):
        path = tmp_path / f"x{suffix}"
        torch.save(content, path)
        state = read_state(path)
        assert list(state) == ["conv1.weight"]
        assert torch.equal(state["conv1.weight"], weight)


def test_a_pickle_that_holds_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(1), "x": Malice(tmp_path / "ran")}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="could run code: refused"):
        read_state(tmp_path / "x.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"hello garbage", b"", b"PK\x03\x04 cut off", b"\x80\x02"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(WeightsError, match="is no file of weights: "):
        read_state(tmp_path / "x.pth")


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"Save the state_dict alone, best as \.safetensors"):
        read_state(tmp_path / "x.pth")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04" + bytes(40)])
def test_a_file_that_holds_no_weights_is_refused_by_name(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"x\{suffix}"):
        read_state(path)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.ones(1)], torch.ones(1)])
def test_a_file_without_named_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="holds no tensors by name"):
        read_state(tmp_path / "x.pth")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights file .*gone\.pth"):
        read_state(tmp_path / "gone.pth")


def test_every_tensor_that_fits_is_copied(network: Network, other_state: dict[str, Tensor]) -> None:
    assert load_backbone(network, other_state, "other") == []
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, other_state[name])


def test_what_did_not_fit_is_listed_and_keeps_its_values(
    network: Network, other_state: dict[str, Tensor]
) -> None:
    before = {name: tensor.clone() for name, tensor in network.backbone.state_dict().items()}
    del other_state["bn1.weight"]
    other_state["conv1.3.weight"] = torch.ones(16, 16, 5, 5)
    unmatched = load_backbone(network, other_state, "other")
    own = tuple(before["conv1.3.weight"].shape)
    assert unmatched == [
        f"conv1.3.weight: (16, 16, 5, 5) in the file, {own} needed",
        "bn1.weight: not in the file",
    ]
    after = network.backbone.state_dict()
    for name in ("conv1.3.weight", "bn1.weight"):
        assert torch.equal(after[name], before[name])
    assert torch.equal(after["layer4.0.conv1.weight"], other_state["layer4.0.conv1.weight"])


def test_an_old_classifier_and_missing_counters_are_not_worth_a_line(
    network: Network, other_state: dict[str, Tensor]
) -> None:
    old = {name: tensor for name, tensor in other_state.items() if "num_batches" not in name}
    old["fc.weight"], old["fc.bias"] = torch.ones(1000, 96), torch.ones(1000)
    assert load_backbone(network, old, "old") == []


def test_weights_of_another_network_are_refused(network: Network) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    foreign = build_network("resnet10t", 3).backbone.state_dict()
    with pytest.raises(WeightsError, match="are they weights of another network") as caught:
        load_backbone(network, foreign, "foreign.pth")
    assert "foreign.pth: " in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_missing_card_is_empty(tmp_path: Path) -> None:
    assert read_card(tmp_path / "gone.json") == {}


@pytest.mark.parametrize(
    ("content", "reason"), [(b"{", "is no JSON"), (b"\xff", "is no JSON"), (b"[]", "no object")]
)
def test_a_card_that_is_no_object_is_refused_by_name(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(WeightsError, match=reason) as caught:
        read_card(tmp_path / "card.json")
    assert "card.json" in str(caught.value)

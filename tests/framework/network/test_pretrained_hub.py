"""timm's own download, against a hub on this machine."""

import hashlib
import io
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save
from torch import Tensor

from transfer.errors import RunNotFoundError, WeightsError
from transfer.network.backbone import Normalization, build_network
from transfer.network.pretrained import cached_file, choose_weights, load_weights
from transfer.network.state import load_backbone
from transfer.overlay import Layer, settle
from transfer.recipe import Recipe

NAME = "test_resnet.r160_in1k"
PLACE = f"/timm/{NAME}/resolve/main"


class Hub(ThreadingHTTPServer):
    """Answers for files as the Hugging Face hub does, and as a proxy that lets nobody out."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.down = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def do_CONNECT(self) -> None:
        self.send_error(HTTPStatus.FORBIDDEN)

    def _answer(self) -> bytes:
        self.server.asked.append(f"{self.command} {Path(self.path).name}")
        content = self.server.files.get(self.path)
        if self.server.down:
            self.send_response(HTTPStatus.SERVICE_UNAVAILABLE)
        elif content is None:
            self.send_response(HTTPStatus.NOT_FOUND)
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_response(HTTPStatus.OK)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        found = content if content is not None and not self.server.down else b""
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        return found

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def _no_other_weights(weights_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_cache.is_dir()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
        thread.start()
        point_to(hub.address, monkeypatch)
        yield hub
        hub.shutdown()
        thread.join()


def point_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what HF_ENDPOINT does for a new process."""
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Weights as timm publishes them, with their classifier."""
    torch.manual_seed(3)
    return dict(timm.create_model("test_resnet").state_dict())


def no_run(run: str) -> Path:
    raise RunNotFoundError(run)


def safetensors(state: dict[str, Tensor]) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in state.items()})


def pickled(state: dict[str, Tensor]) -> bytes:
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def test_hub_is_timm_s_own_download(hub: Hub, published: dict[str, Tensor]) -> None:
    hub.files[f"{PLACE}/model.safetensors"] = safetensors(published)
    weights = load_weights("test_resnet.r160_in1k", "hub", no_run)
    assert weights.source == f"hub: {NAME}"
    assert weights.normalization == Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert weights.state is not None
    network = build_network("test_resnet", 3, weights.normalization)
    assert load_backbone(network, weights.state, weights.source) == []
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, published[name])
    assert "GET model.safetensors" in hub.asked


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_download_is_found_offline_and_auto_takes_it(
    hub: Hub, published: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    write = safetensors if file.endswith(".safetensors") else pickled
    hub.files[f"{PLACE}/{file}"] = write(published)
    assert cached_file(NAME) is None
    load_weights(NAME, "hub", no_run)
    hub.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    place = cached_file(NAME)
    assert place is not None
    assert place.read_bytes() == hub.files[f"{PLACE}/{file}"]
    asked = settle(Recipe(), [Layer("option", {"backbone": "test_resnet"})])
    recipe = choose_weights(asked, no_run).recipe
    assert recipe.weights == "hub"
    weights = load_weights(recipe.backbone, recipe.weights, no_run)
    assert weights.state is not None
    assert torch.equal(weights.state["conv1.0.weight"], published["conv1.0.weight"])
    assert hub.asked == []


def refused(name: str = NAME) -> str:
    with pytest.raises(WeightsError) as caught:
        load_weights(name, "hub", no_run)
    return str(caught.value)


def teaches(message: str) -> bool:
    ways = "Without a network, copy the file here and take --weights FILE.safetensors"
    return message.startswith(f"timm cannot get its weights of {NAME!r}: ") and ways in message


def test_without_a_network_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    point_to(f"http://127.0.0.1:{port}", monkeypatch)  # where nobody listens any more
    assert teaches(refused())


def test_a_machine_that_is_told_to_stay_offline_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert teaches(refused())


def test_a_hub_that_is_down_or_lacks_the_file_says_what_to_do(hub: Hub) -> None:
    assert teaches(refused())
    hub.down = True
    assert teaches(refused())
    assert {"HEAD model.safetensors", "HEAD pytorch_model.bin"} <= set(hub.asked)


def test_a_proxy_that_lets_nobody_out_says_what_to_do(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to("https://hub.invalid", monkeypatch)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, hub.address)
    huggingface_hub.close_session()  # the next one reads the environment again
    try:
        assert teaches(refused())
    finally:
        huggingface_hub.close_session()


def test_a_damaged_download_is_named_as_the_file_to_delete(hub: Hub) -> None:
    hub.files[f"{PLACE}/model.safetensors"] = b"half of a file"
    message = refused()
    assert "are damaged" in message
    assert repr(str(cached_file(NAME))) in message
    assert "are damaged" in refused()  # the same where it comes from the cache

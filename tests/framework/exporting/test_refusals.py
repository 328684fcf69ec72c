"""What cannot leave is refused before anything is written, with the way out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from transfer.errors import ExportError, MissingPackageError
from transfer.exporting import export as exporting
from transfer.exporting.evidence import Evidence
from transfer.exporting.export import Order
from transfer.exporting.formats import FORMATS, import_runtime
from transfer.exporting.timm_weights import Normalized, as_timm
from transfer.network.backbone import Design, build_network
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(ExportError, match=r"'tflite': a run leaves as safetensors, torch-export,"):
        Order("run", ("tflite",), Path("out"))


def test_eight_bits_are_for_formats_that_have_them() -> None:
    with pytest.raises(ExportError, match="only onnx and openvino"):
        Order("run", ("safetensors",), Path("out"), int8=True)


def test_a_missing_package_comes_with_the_line_that_installs_it() -> None:
    with pytest.raises(MissingPackageError, match=r"pip install 'resnet-transfer\[export\]'"):
        import_runtime("no_such_runtime")


def test_timm_says_the_logits_of_the_network() -> None:
    torch.manual_seed(0)
    network = build_network("test_resnet", 3).eval()
    torch.nn.init.normal_(network.head.weight)
    pixels = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        found = Normalized(as_timm(network), network)(pixels)
        assert torch.allclose(found, network(pixels), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "design", "reason"),
    [
        ("test_resnet", Design(head=HeadSettings(kind="cosine")), "no head like this run's"),
        ("test_resnet", Design(kind=TargetKind.ORDINAL), "no head like this run's"),
        ("test_resnet", Design(stages=2), "sees 2 stages"),
        ("resnet20", Design(), "is no model of timm's"),
    ],
)
def test_a_network_that_timm_cannot_build_is_told_where_else_to_go(
    name: str, design: Design, reason: str
) -> None:
    with pytest.raises(ExportError, match=f"{reason}.*take torch-export, onnx or openvino"):
        as_timm(build_network(name, 3, design=design))


def test_a_file_that_says_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Portable:
        @staticmethod
        def says(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
            return (pixels[:, :, 0, 0],)

    def other(path: Path, portable: object) -> object:
        return lambda pixels: (pixels[:, :, 0, 0] + 2e-4 * (len(pixels) > 1),)  # of many alone

    read = FORMATS["safetensors"].__class__("model", (), lambda *_: None, other)
    monkeypatch.setitem(exporting.FORMATS, "safetensors", read)
    evidence = Evidence(np.ones((4, 3, 8, 8), np.float32), "4 rows")
    with pytest.raises(ExportError, match=r"up to 0.0002 otherwise than the run on 4 rows"):
        exporting._held_against_run("safetensors", Path("model"), Portable(), evidence)

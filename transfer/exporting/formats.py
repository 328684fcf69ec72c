"""The formats in which a network leaves: how each is written, and how its runtime reads it back."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from transfer.errors import MissingPackageError
from transfer.exporting.portable import PIXELS, Portable, Said, Says, torch_says
from transfer.exporting.timm_weights import Normalized, as_timm
from transfer.network.objective import OBJECTIVES


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        file: name of the file that its runtime is given.
        needs: modules that write and read it, beside those of this framework.
        write: puts the network into a file of that name.
        read: the file -> what asks it, through its own runtime alone.
        normalizes: mean and deviation are inside.
        from_onnx: ONNX file, file to write -> None, where it can be made from ONNX; so it can be
            of 8 bits.
    """

    file: str
    needs: tuple[str, ...]
    write: Callable[[Portable, Path], None]
    read: Callable[[Path, Portable], Says]
    normalizes: bool = True
    from_onnx: Callable[[Path, Path], None] | None = None


def import_runtime(module: str) -> Any:
    """Return a module that only some formats need.

    Raises:
        MissingPackageError: it is not installed; it says how to install it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"this format needs {error.name}, which is not installed; "
            "pip install 'resnet-transfer[export]'"
        ) from error


def _write_safetensors(portable: Portable, path: Path) -> None:
    state = as_timm(portable.predictor.network).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)


def _read_safetensors(path: Path, portable: Portable) -> Says:
    network, target = portable.predictor.network, portable.predictor.target
    classes, bands = network.head.out_features, portable.bands
    model = timm.create_model(network.name, num_classes=classes, in_chans=bands)
    model.load_state_dict(load_file(path))
    normalized = Normalized(model.eval().to(memory_format=torch.channels_last), network)
    return torch_says(lambda pixels: (OBJECTIVES[target].probabilities(normalized(pixels)),))


def _write_program(portable: Portable, path: Path) -> None:
    with warnings.catch_warnings():
        # Of weights that share their memory, which are the same wherever they lie.
        warnings.filterwarnings("ignore", "No complete tensor found in the group")
        torch.export.save(portable.program, path)


def _read_program(path: Path, _portable: Portable) -> Says:
    return torch_says(torch.export.load(path).module())


def _write_onnx(portable: Portable, path: Path) -> None:
    path.write_bytes(portable.onnx)


def _copy(source: Path, path: Path) -> None:
    path.write_bytes(source.read_bytes())


def _read_onnx(path: Path, _portable: Portable) -> Says:
    runtime = import_runtime("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def says(pixels: NDArray[np.float32]) -> Said:
        return tuple(session.run(None, {PIXELS: pixels}))

    return says


def _write_openvino(portable: Portable, path: Path) -> None:
    with TemporaryDirectory() as folder:
        source = Path(folder, "model.onnx")
        _write_onnx(portable, source)
        _openvino_from_onnx(source, path)


def _openvino_from_onnx(source: Path, path: Path) -> None:
    openvino = import_runtime("openvino")
    openvino.save_model(openvino.convert_model(source), path, compress_to_fp16=False)


def _read_openvino(path: Path, portable: Portable) -> Says:
    # Bit by bit what the file says: on some processors it would compute in bf16 otherwise.
    exactly = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = import_runtime("openvino").Core().compile_model(path, "CPU", exactly)

    def says(pixels: NDArray[np.float32]) -> Said:
        found = compiled(pixels)
        return tuple(np.array(found[name]) for name in portable.outputs)

    return says


FORMATS: Mapping[str, Format] = {
    "safetensors": Format(
        "model.safetensors", (), _write_safetensors, _read_safetensors, normalizes=False
    ),
    "torch-export": Format("model.pt2", (), _write_program, _read_program),
    "onnx": Format(
        "model.onnx",
        ("onnx", "onnxscript", "onnxruntime"),
        _write_onnx,
        _read_onnx,
        from_onnx=_copy,
    ),
    "openvino": Format(
        "model.xml",
        ("onnx", "onnxscript", "openvino"),
        _write_openvino,
        _read_openvino,
        from_onnx=_openvino_from_onnx,
    ),
}

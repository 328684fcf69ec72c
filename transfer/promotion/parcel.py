"""The code that a model needs to answer on a machine where this framework is not installed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from transfer.errors import BrokenPromiseError
from transfer.plugin.discovery import installed_tasks
from transfer.tracking.registry import Parcel

_OWN = "resnet-transfer"
_NEEDS = (
    "torch", "torchvision", "timm", "numpy", "pandas", "scipy", "pillow", "opencv-python-headless",
    "albumentations", "safetensors", "pydantic", "pyarrow", "pyyaml", "psutil", "filelock",
    "platformdirs",
)  # fmt: skip
_IF_HERE = ("pydicom", "rasterio")  # pictures of theirs can only be read with them
_LEFT = shutil.ignore_patterns("__pycache__", "*.safetensors")  # starter weights are in the model
_ABOUT = ("METADATA", "entry_points.txt")


@contextmanager
def packed(files: Path, task: str) -> Iterator[Parcel]:
    """Give the model in `files` with the framework, the package of its task, and what they need.

    The metadata of both travel too: tasks are found by their entry points.

    Raises:
        BrokenPromiseError: the package of the task is nowhere to be found.
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        _copy_package("transfer", folder)
        _copy_metadata(distribution(_OWN), folder)
        needs = [*_NEEDS, *filter(_is_here, _IF_HERE)]
        for entry in installed_tasks():
            if entry.name == task:
                _copy_package(entry.module.partition(".")[0], folder)
                if entry.dist is not None and entry.dist.name != _OWN:
                    _copy_metadata(entry.dist, folder)
        yield Parcel(files, tuple(sorted(folder.iterdir())), tuple(needs))


def _copy_package(name: str, into: Path) -> None:
    spec = find_spec(name)
    if spec is None:
        raise BrokenPromiseError(f"package {name!r} cannot be found, so that it cannot travel")
    if spec.submodule_search_locations:
        shutil.copytree(Path(spec.submodule_search_locations[0]), into / name, ignore=_LEFT)
    elif spec.origin is not None:
        shutil.copy2(spec.origin, into)


def _copy_metadata(found: Distribution, into: Path) -> None:
    folder = into / f"{found.name.replace('-', '_')}-{found.version}.dist-info"
    folder.mkdir()
    for name in _ABOUT:
        if (text := found.read_text(name)) is not None:
            (folder / name).write_text(text, encoding="utf-8")


def _is_here(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True

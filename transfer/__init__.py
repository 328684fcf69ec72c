"""Teach a ResNet a new domain: one shared fine-tuner, one plugin per domain, runs in MLflow."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# albumentations asks a package index for its newest version on import; we stay off the network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

if TYPE_CHECKING:
    from transfer.comparing.compare import compare
    from transfer.comparing.result import Comparison
    from transfer.earlier import rows_of
    from transfer.errors import TransferError
    from transfer.experiment import RunResult
    from transfer.images.pictures import Pixels, read_picture
    from transfer.plugin.discovery import load_task
    from transfer.plugin.judge import Judge
    from transfer.plugin.task import Augmentation, Task
    from transfer.recipe import Recipe
    from transfer.resumption import resume
    from transfer.samples.layouts.detect import read_layout
    from transfer.samples.manifest import Manifest, Row
    from transfer.samples.new_folder import new_folder
    from transfer.samples.target import Labelling, TargetKind
    from transfer.settings import ObjectSettings, TaskSettings
    from transfer.shipping.predictor import Predictor, load
    from transfer.start import fit

_HOME = {
    "Augmentation": "transfer.plugin.task",
    "Comparison": "transfer.comparing.result",
    "Judge": "transfer.plugin.judge",
    "Labelling": "transfer.samples.target",
    "Manifest": "transfer.samples.manifest",
    "ObjectSettings": "transfer.settings",
    "Pixels": "transfer.images.pictures",
    "Predictor": "transfer.shipping.predictor",
    "Recipe": "transfer.recipe",
    "Row": "transfer.samples.manifest",
    "RunResult": "transfer.experiment",
    "TargetKind": "transfer.samples.target",
    "Task": "transfer.plugin.task",
    "TaskSettings": "transfer.settings",
    "TransferError": "transfer.errors",
    "compare": "transfer.comparing.compare",
    "fit": "transfer.start",
    "load": "transfer.shipping.predictor",
    "load_task": "transfer.plugin.discovery",
    "new_folder": "transfer.samples.new_folder",
    "read_layout": "transfer.samples.layouts.detect",
    "read_picture": "transfer.images.pictures",
    "resume": "transfer.resumption",
    "rows_of": "transfer.earlier",
}

__all__ = [
    "Augmentation",
    "Comparison",
    "Judge",
    "Labelling",
    "Manifest",
    "ObjectSettings",
    "Pixels",
    "Predictor",
    "Recipe",
    "Row",
    "RunResult",
    "TargetKind",
    "Task",
    "TaskSettings",
    "TransferError",
    "compare",
    "fit",
    "load",
    "load_task",
    "new_folder",
    "read_layout",
    "read_picture",
    "resume",
    "rows_of",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import transfer` loads no torch, no pandas."""
    if name not in _HOME:
        raise AttributeError(f"module 'transfer' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

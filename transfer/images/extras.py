"""Packages that only some pictures need: imported when the first of those is read."""

from importlib import import_module
from typing import Any, Literal

from transfer.errors import MissingPackageError


def import_extra(module: str, extra: Literal["medical", "satellite"]) -> Any:
    """Return a module of a package that comes with an extra of this one.

    Raises:
        MissingPackageError: it is not installed; it says how to install it.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, and lacks something of its own
        raise MissingPackageError(
            f"these pictures are read by {package}, which is not installed; "
            f"pip install 'resnet-transfer[{extra}]'"
        ) from error

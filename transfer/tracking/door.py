"""The door to MLflow: opened late, quietly, and never while the process forks."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from transfer.errors import StoreError, TransferError

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds without a byte
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the spool tries again; a person can, too
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what goes wrong is raised, and told once
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # else models take a lock file of the current folder along
}

# A process that is forked while another thread imports inherits module locks that nobody will ever
# release; data loaders fork at about the time when the spool imports. So forks wait for imports.
_importing = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )


def silence() -> None:
    """Set MLflow's environment variables to what we need, where the user has not set them."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def mlflow_module(name: str = "mlflow") -> ModuleType:
    """Return `mlflow` or one of its modules; the first call takes seconds."""
    silence()
    with _importing:
        return import_module(name)


@contextmanager
def answering(address: str) -> Iterator[None]:
    """Run calls to the store at `address`.

    Raises:
        StoreError: it does not answer, or it answers with an error.
    """
    failures = (
        mlflow_module("mlflow.exceptions").MlflowException,
        mlflow_module("sqlalchemy.exc").SQLAlchemyError,
        OSError,
    )
    try:
        yield
    except TransferError:
        raise
    except failures as error:
        raise StoreError(f"the run store at {address} gives no answer: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return the first line of what stands at the bottom: MLflow wraps it in pages of text."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (str(error) or type(error).__name__).splitlines()[0][:300]

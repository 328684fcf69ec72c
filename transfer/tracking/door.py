"""The door to MLflow: opened late, quietly, and never while the process forks."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from transfer.errors import StoreError, TransferError

CREDENTIALS = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
"""The environment variables that MLflow takes a user and a password from."""

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
        raise StoreError(f"the run store at {address} {_what(error)}") from error


def _what(error: Exception) -> str:
    """Return in words what a store does instead of answering."""
    code = getattr(error, "error_code", "")
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if code == "UNAUTHENTICATED":
        now = f"it refuses {user!r} with the one that is there" if user else "they are not set"
        return f"wants a user and a password, in {CREDENTIALS}; {now}"
    if code == "PERMISSION_DENIED":
        return f"does not let {user or 'nobody in particular'!r} do this: {_reason(error)}"
    return f"gives no answer: {_reason(error)}"


def _reason(error: BaseException) -> str:
    """Return the first line of what stands at the bottom: MLflow wraps it in pages of text."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return without_password((str(error) or type(error).__name__).splitlines()[0][:300])


def without_password(text: str) -> str:
    """Return a text without who may use the URIs in it: fit for messages and files."""
    # A password may have an @, and for databases a slash.
    return re.sub(r"(?<=://)(?:[^/?#\s]*|[^/:@\s]*:[^@\s]*)@", "", text)

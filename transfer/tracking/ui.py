"""MLflow's user interface on a store."""

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from transfer.errors import StoreError
from transfer.tracking.door import answering, silence
from transfer.tracking.saved_view import SAVED_VIEW, SAVED_VIEW_TAG
from transfer.tracking.store import Store, connect


@dataclass(frozen=True)
class UserInterface:
    """Where the pages are, and what to run for them to be there.

    Attributes:
        address: to open in a browser.
        views: address of the runs of each experiment, by its name, as `saved_view` shows them; the
            one made last first; empty where a server runs already.
        command: starts the server; empty where a server runs already.
        environment: variables that the server needs beside those of this process.
    """

    address: str
    views: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def user_interface(store: Store, host: str = "127.0.0.1", port: int = 5000) -> UserInterface:
    """Return how to look at the runs of `store`; make the store if there is none yet.

    Raises:
        StoreError: the port is taken, or the store does not answer.
        OutputError: the folder of the store cannot be written to.
    """
    if store.is_server:
        return UserInterface(store.address)
    _check_free(host, port)
    address = f"http://{host}:{port}"
    views = _views(store, address)
    silence()
    command = (
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--artifacts-destination", store.artifacts, "--host", host, "--port", str(port)),
    )
    environment = {
        "MLFLOW_BACKEND_STORE_URI": store.uri,  # with a password, which a command shows to everyone
        # For language models, and takes seven processes of 130 MB.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return UserInterface(address, views, command, environment)


def _views(store: Store, address: str) -> dict[str, str]:
    with answering(store.address):
        experiments = connect(store).search_experiments(order_by=["creation_time DESC"])
    return {
        found.name: (
            f"{address}/#/experiments/{found.experiment_id}/runs?viewStateShareKey={SAVED_VIEW}"
        )
        for found in experiments
        if SAVED_VIEW_TAG in found.tags
    }


def _check_free(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise StoreError(
            f"port {port} of {host} cannot be used: {error.strerror or error}; is the interface "
            f"open already? Otherwise choose another port, as in --port {port + 1}"
        ) from error

import socket
from pathlib import Path

import pytest

from transfer.errors import StoreError
from transfer.tracking.saved_view import SAVED_VIEW_TAG
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.ui import user_interface


def test_a_server_that_runs_already_is_only_pointed_at(tmp_path: Path) -> None:
    found = user_interface(open_store(tmp_path, "http://me:secret@host:5000"))

    assert (found.address, found.command) == ("http://host:5000", ())


def test_a_busy_port_is_named_with_what_to_do(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StoreError, match=f"port {port} of 127.0.0.1 .*--port {port + 1}"):
            user_interface(store, port=port)


def test_the_interface_runs_on_this_store_with_one_worker(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    found = user_interface(store, port=port)

    assert found.address == f"http://127.0.0.1:{port}"
    command = " ".join(found.command)
    assert found.environment["MLFLOW_BACKEND_STORE_URI"] == store.uri
    assert store.uri not in command  # everyone can read a command, and it may have a password
    assert f"--artifacts-destination {store.artifacts}" in command
    assert "--workers 1" in command


def test_the_interface_leads_to_the_scores_of_each_experiment(store: Store) -> None:
    _, seen = (connect(store).create_experiment(name) for name in ("plain", "seen"))
    connect(store).set_experiment_tag(seen, SAVED_VIEW_TAG, "{}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    views = user_interface(store, port=port).views

    address = f"http://127.0.0.1:{port}/#/experiments/{seen}/runs?viewStateShareKey=scores"
    assert views == {"seen": address}

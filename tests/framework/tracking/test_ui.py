import socket
from pathlib import Path

import pytest

from transfer.errors import StoreError
from transfer.tracking.store import Store, open_store
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
    assert f"--backend-store-uri {store.uri}" in command
    assert f"--artifacts-destination {store.artifacts}" in command
    assert "--workers 1" in command

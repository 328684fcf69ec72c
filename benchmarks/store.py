"""How long a store of 1,000 runs takes to list, to compare two of, and to open in MLflow's pages.

    python benchmarks/store.py                           # made and measured in two minutes
    python benchmarks/store.py --runs 5000 --keep FOLDER # the store stays, for a second measurement

Three small runs are trained on drawn samples, one a strategy, with all that a run keeps. The others
are their rows in MLflow's database under other ids, names, times and values; a few have their files
as well. Each command runs in a process of its own: what it takes to start (imports, the
connection) stands apart from what it takes once the store is open. Beside the seconds stand those
of the processor, which other work on the machine does not change as much.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import requests

import transfer
from transfer.tracking.saved_view import SAVED_VIEW_TAG
from transfer.tracking.store import connect, open_store
from transfer.tracking.ui import user_interface

TASK = "satellite_vegetation"
_STRATEGIES = ("probe", "finetune", "lp-ft")
_EPOCHS = 8
_WITH_FILES = 20  # runs that can be compared
_PORT = 5078
_APART_MS = 600_000  # between the starts of two runs
_NUMBERS = ("metrics", "latest_metrics", "logged_model_metrics")

_PROCESS = """
import contextlib, io, json, sys, time
began, out, *words = float(sys.argv[1]), *sys.argv[2:]
from pathlib import Path
from transfer.cli.app import main
import transfer.comparing.compare, transfer.tracking.runs
from transfer.tracking.store import connect, open_store
started = time.time()
connect(open_store(Path(out))).search_experiments()
opened, used = time.time(), time.process_time()
sys.argv = ["transfer", *words, "--store", out]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
then = [time.time() - opened, time.process_time() - used]
print(json.dumps([started - began, opened - started, *then]))
"""


def train(out: Path, data: Path) -> None:
    """Put one run of each strategy into the store in `out`."""
    for strategy in _STRATEGIES:
        settings = {"size": 32, "weights": "starter", "machine.features_gb": 0}
        transfer.fit(TASK, data, strategy=strategy, epochs=_EPOCHS, settings=settings, out=out)


def multiply(out: Path, runs: int) -> None:
    """Have the store in `out` hold `runs` runs, each like one that is there."""
    chance = random.Random(0)  # noqa: S311  # no secret
    with closing(sqlite3.connect(out / "mlflow.db")) as database, database:
        known = _known(database)
        rows = [_rows_about(database, ids) for ids in known]
        for number in range(runs - len(known)):
            ids, about = known[number % len(known)], rows[number % len(known)]
            others = {old: _another(old) for old in ids}
            _insert(database, about, others, number, chance)
            if number < _WITH_FILES:
                _copy_files(out, others)
    print(f"{runs} runs: mlflow.db {(out / 'mlflow.db').stat().st_size / 1e6:.0f} MB", flush=True)


def _known(database: sqlite3.Connection) -> list[list[str]]:
    """Return the ids of each run: its own, its record's, its model's, and those of its inputs."""
    found = []
    for (run,) in database.execute("SELECT run_uuid FROM runs").fetchall():
        ids = [run]
        for query in (
            "SELECT value FROM tags WHERE key = 'transfer.record' AND run_uuid = ?",
            "SELECT model_id FROM logged_models WHERE source_run_id = ?",
            "SELECT input_uuid FROM inputs WHERE ? IN (source_id, destination_id)",
        ):
            ids += [one for (one,) in database.execute(query, [run])]
        found.append(ids)
    return found


def _another(old: str) -> str:
    return f"m-{uuid.uuid4().hex}" if old.startswith("m-") else uuid.uuid4().hex


def _rows_about(
    database: sqlite3.Connection, ids: list[str]
) -> dict[str, tuple[list[str], list[tuple[object, ...]]]]:
    """Return, by table, the columns and all rows of which a key is one of `ids`."""
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found = {}
    for (table,) in tables:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        keys = [name for name in columns if name.endswith(("uuid", "_id"))]
        if not keys:
            continue
        marks = ", ".join("?" * len(ids))
        where = " OR ".join(f"{key} IN ({marks})" for key in keys)
        query = f"SELECT * FROM {table} WHERE {where}"  # noqa: S608  # of the database itself
        rows = database.execute(query, ids * len(keys)).fetchall()
        if rows:
            found[table] = (columns, rows)
    return found


def _insert(
    database: sqlite3.Connection,
    about: Mapping[str, tuple[list[str], list[tuple[object, ...]]]],
    others: Mapping[str, str],
    number: int,
    chance: random.Random,
) -> None:
    """Insert a run's rows once more, under other ids: earlier, and a little better or worse."""
    others = {**others, "seed0": f"seed{number + 1}"}
    better = chance.uniform(-0.1, 0.1)

    def renamed(value: object) -> object:
        for old, new in others.items():
            value = value.replace(old, new) if isinstance(value, str) else value
        return value

    for table, (columns, rows) in about.items():
        lines = [dict(zip(columns, map(renamed, row), strict=True)) for row in rows]
        for line in lines:
            if table == "runs":
                line |= {k: line[k] - (number + 1) * _APART_MS for k in ("start_time", "end_time")}
            elif table in _NUMBERS:
                value = "metric_value" if "metric_value" in line else "value"
                line[value] += better
        marks = ", ".join("?" * len(columns))
        values = [tuple(line.values()) for line in lines]
        query = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608  # of the database itself
        database.executemany(query, values)


def _copy_files(out: Path, others: Mapping[str, str]) -> None:
    """Give a run, the first of `others`, the files of the one that it is like."""
    old, new = next(iter(others.items()))
    source, target = (out / "artifacts" / name for name in (old, new))
    shutil.copytree(source, target, copy_function=os.link)


def timed(out: Path, *words: str) -> list[float]:
    """Return the seconds of a command: of its imports, of opening the store, then, of processor."""
    command = [sys.executable, "-c", _PROCESS, str(time.time()), str(out), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


class Pages(NamedTuple):
    """Where they are, and the server that makes them."""

    address: str
    server: psutil.Process

    def ask(self, path: str, body: object) -> list[float]:
        """Return the seconds of a request, and those of the server's processor."""
        began, used = time.perf_counter(), self._used()
        address = f"{self.address}/ajax-api/2.0/mlflow/{path}"
        requests.post(address, json=body, timeout=60).raise_for_status()
        return [time.perf_counter() - began, self._used() - used]

    def _used(self) -> float:
        """Return the seconds of processor that the server and its worker have used so far."""
        times = [one.cpu_times() for one in (self.server, *self.server.children(recursive=True))]
        return sum(one.user + one.system for one in times)


@contextmanager
def pages(out: Path) -> Iterator[Pages]:
    """Give MLflow's pages on the store in `out`, as `transfer ui` starts them."""
    shown = user_interface(open_store(out), port=_PORT)
    server = subprocess.Popen(
        shown.command,
        env=os.environ | shown.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(f"{shown.address}/health"):
            time.sleep(0.2)
        yield Pages(shown.address, psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.ConnectionError:
        return False


def first_page(out: Path, shown: Pages) -> dict[str, list[float]]:
    """Return the seconds of what the page of runs asks for, as Chromium was seen to, one by one."""
    (experiment,) = (
        found
        for found in connect(open_store(out)).search_experiments()
        if SAVED_VIEW_TAG in found.tags
    )
    view = json.loads(json.loads(experiment.tags[SAVED_VIEW_TAG])["state"])
    ids, order = [experiment.experiment_id], f"{view['orderByKey']} DESC"
    active = {"experiment_ids": ids, "run_view_type": "ACTIVE_ONLY"}
    newest = [{"field_name": "creation_time", "ascending": False}]
    asked = {
        "the runs of the view": (
            "runs/search",
            {**active, "max_results": 100, "order_by": [order]},
        ),
        "the newest runs": (
            "runs/search",
            {**active, "max_results": 50, "order_by": ["attributes.start_time DESC"]},
        ),
        "data sets": ("experiments/search-datasets", {"experiment_ids": ids}),
        "models": ("logged-models/search", {"experiment_ids": ids, "order_by": newest}),
    }
    taken = {name: shown.ask(*request) for name, request in asked.items()}
    return taken | {
        "all of it, one by one": [sum(one) for one in zip(*taken.values(), strict=True)]
    }


def table(out: Path, repeats: int) -> str:
    """Return a Markdown table of medians."""
    lines = ["| | imports s | opening s | then s | of the processor s |", "|---|---|---|---|---|"]
    with closing(sqlite3.connect(out / "mlflow.db")) as database:
        query = "SELECT name FROM runs WHERE name LIKE '%seed1' OR name LIKE '%seed2'"
        two = [name for (name,) in database.execute(query)]
    for words in (["runs"], ["compare", *two], ["compare", *two, "--on", "test"]):
        shown = " ".join(["transfer", *words]).replace(" ".join(two), "A B")
        measured = [timed(out, *words) for _ in range(repeats)]
        lines.append(f"| `{shown}` | {_medians(measured)} |")
    with pages(out) as served:
        first_page(out, served)  # the server imports some of its code with the first request
        asked = [first_page(out, served) for _ in range(repeats)]
    lines += [
        f"| page: {name} | | | {_medians([one[name] for one in asked])} |" for name in asked[0]
    ]
    return "\n".join(lines)


def _medians(measured: Sequence[Sequence[float]]) -> str:
    return " | ".join(f"{statistics.median(one):.2f}" for one in zip(*measured, strict=True))


def main() -> None:
    """Make the store, unless it is there, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="folder of the store, made if it is not there")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = (asked.keep or Path(folder, "runs")).absolute()
        if not out.is_dir():
            os.environ.setdefault("TRANSFER_CACHE", str(Path(folder, "cache")))
            data = Path(folder, "chips")
            command = ["-m", "transfer", "samples", TASK, "--out", str(data)]
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            train(out, data)
            multiply(out, asked.runs)
        print(table(out, asked.repeats))


if __name__ == "__main__":
    main()

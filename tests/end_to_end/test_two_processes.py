"""A run of two processes: every row once, one record, and the same bits after an interruption."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from transfer.tracking.runs import fetch, find_run, model_folder
from transfer.tracking.store import open_store
from transfer.tracking.stored_runs import search

pytestmark = pytest.mark.slow

# All runs by the same two processes, since starting them takes longer than the runs. Of the second
# run one process alone is told to end, in the middle of a step of the second epoch.
_RUNS = """
import json
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path
from transfer.cli.console import OUT, Terminal
from transfer.finetuning import finetuner
from transfer.launch import join
from transfer.resumption import resume
from transfer.start import Request, carry_out

data, out = map(Path, sys.argv[1:])
settings = {"split": {"val": 0.2, "test": 0.25}, "training": {"dropout": 0.2}}
everyday = {"backbone": "test_resnet", "weights": "none", "strategy": "lp-ft", "epochs": 2,
            "size": 32, "batch_size": 8}
add_up, steps = finetuner.add_up, []

def add_up_and_signal(network, loss, processes):
    steps.append(loss)
    if len(steps) == 5 and not processes.share.is_first:
        signal.raise_signal(signal.SIGTERM)
    return add_up(network, loss, processes)

def fit(name):
    request = Request("labelled_images", data, everyday, settings=settings, name=name, out=out)
    return carry_out(request, Terminal())

results = [fit("whole")]
finetuner.add_up = add_up_and_signal
results += [fit("told to end"), resume("told to end", out=out)]
file = out / f"results {join().share.rank}.json"
file.write_text(json.dumps([asdict(replace(result, said={})) for result in results]))
"""


def test_a_run_of_two_processes(
    class_folders: Callable[..., Path],
    launch_two: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "runs"
    data = class_folders({"cat": 21, "dog": 20})
    first, second = launch_two(_RUNS, data, out)
    assert (first.code, second.code) == (0, 0), (first.err, second.err)

    # One voice, and one result.
    assert first.out.count("computing  cpu, 2 processes of ") == 2
    assert second.out == second.err == ""
    results = [json.loads((out / f"results {rank}.json").read_text()) for rank in (0, 1)]
    assert results[0] == results[1]
    whole, stopped, resumed = results[0]
    assert (stopped["status"], stopped["ended"]) == ("KILLED", "terminated: in epoch 2 of 2")
    assert (resumed["status"], resumed["run_id"]) == ("FINISHED", stopped["run_id"])

    # One record of each run, and the same bits with and without an end in between.
    store = open_store(out)
    assert sorted(run.name for run in search(store, "")) == ["told to end", "whole"]
    assert resumed["val"] == whole["val"]
    assert resumed["test"] == whole["test"]
    weights = {
        (model_folder(store, find_run(store, name)) / "network.safetensors").read_bytes()
        for name in ("whole", "told to end")
    }
    assert len(weights) == 1
    assert not store.checkpoints(find_run(store, "told to end").record_id).exists()

    # Every row of val and of test once.
    run = find_run(store, "whole")
    said = pd.read_parquet(fetch(store, run, "predictions.parquet", tmp_path))
    split = pd.read_parquet(fetch(store, run, "data/split.parquet", tmp_path))
    judged = split[split["split"].isin(["val", "test"])]
    assert sorted(said["key"]) == sorted(judged["key"])

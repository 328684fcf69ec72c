"""From a record to MLflow, in order, each thing once.

Sending again what may have arrived does no harm: MLflow keys a number by name, step, time and
value, all of which are the record's; a run and a model are looked for before they are made.
"""

import json
import posixpath
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from transfer.errors import StoreError
from transfer.tracking.door import answering, mlflow_module
from transfer.tracking.events import (
    Event,
    Finished,
    Kept,
    ModelKept,
    Numbers,
    Read,
    Reopened,
    Started,
    Tagged,
)
from transfer.tracking.logged_model import LocalModel, find_model, log_model
from transfer.tracking.record import Record, started
from transfer.tracking.saved_view import SAVED_VIEW_TAG, saved_view
from transfer.tracking.store import Store, connect, experiment_id
from transfer.tracking.system_metrics import SYSTEM
from transfer.tracking.tracker import FIGURES, HEADLINE_TAG, THROUGHPUT, DataInput

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

RECORD_TAG = "transfer.record"
"""Tag of a run in the store that holds the id of its record."""

PARENT_TAG = "mlflow.parentRunId"
"""Tag of a run that is part of another: that one's id in the store, as MLflow's pages want it."""

CUT_TAG = "transfer.cut_params"
"""Tag that names the parameters whose values were too long for MLflow."""

_PNG = ".png"
_NUMBERS, _PAIRS = 1000, 100  # the most numbers, and params or tags, that one request may carry
_PARAM_LENGTH, _TAG_LENGTH, _NAME_LENGTH = 6000, 5000, 250  # characters
_T = TypeVar("_T")


class Delivery:
    """Sends one record to one store."""

    def __init__(self, store: Store, record: Record, warn: Callable[[str], None]) -> None:
        """Send `record` to `store`; `warn` is told what the store refuses."""
        self._store, self._record, self._warn = store, record, warn
        self._position = record.position
        self._told: set[str] = set()

    @property
    def run_id(self) -> str:
        """The run's id in the store, or "" before it is made there."""
        return self._position.run_id

    def advance(self) -> bool:
        """Send what comes next; False where nothing is left to send.

        Raises:
            OutputError: the folder of the store cannot be written to.
            StoreError: the store does not answer; the record still has everything.
        """
        events, offset = self._next()
        if not events:
            return False
        with answering(self._store.address):
            self._client = connect(self._store)
            if isinstance(events[0], Started):
                self._make_run(events[0])
            with self._refusals():
                self._send(events)
            self._position = self._position.model_copy(update={"offset": offset})
            self._record.deliver_to(self._position)
        return True

    def close(self) -> None:
        """Let go of the record, which is delivered: for good, unless its run may be continued."""
        checkpoints = self._store.checkpoints(self._record.id)
        if self._record.status == "FINISHED":
            shutil.rmtree(
                checkpoints, ignore_errors=True
            )  # its process may have died before it did
        if checkpoints.is_dir():
            self._record.unlock()
        else:
            self._record.remove()

    def _next(self) -> tuple[list[Event], int]:
        """Return the next event, or as many events of numbers as fit into one request."""
        events: list[Event] = []
        offset, count = self._position.offset, 0
        for event, end in self._record.events(offset):
            count += len(event.values) if isinstance(event, Numbers) else _NUMBERS
            if events and (count > _NUMBERS or not isinstance(event, Numbers)):
                break
            events.append(event)
            offset = end
        return events, offset

    def _make_run(self, event: Started) -> None:
        experiment = experiment_id(self._client, self._store, event.run.experiment)
        run_id = self._find(experiment, self._record.id)
        if run_id is None:
            tags = {RECORD_TAG: self._record.id, **self._parent(experiment, event.run.parent)}
            run = self._client.create_run(experiment, event.time, tags, event.run.name)
            run_id = run.info.run_id
            self._save_view(experiment, event)
        else:
            self._client.update_run(run_id, "RUNNING")  # it may have ended: others told of it
        update = {"run_id": run_id, "experiment_id": experiment}
        self._position = self._position.model_copy(update=update)

    def _save_view(self, experiment: str, event: Started) -> None:
        """Give the experiment a view of its scores, unless it has one: people may change it."""
        headline = event.run.tags.get(HEADLINE_TAG)
        if headline and SAVED_VIEW_TAG not in self._client.get_experiment(experiment).tags:
            view = saved_view(headline, THROUGHPUT, event.time)
            self._client.set_experiment_tag(experiment, SAVED_VIEW_TAG, view)

    def _find(self, experiment: str, record_id: str) -> str | None:
        """Return the id that the store gave the run of a record, or None."""
        own = f"tags.`{RECORD_TAG}` = '{record_id}'"
        found = self._client.search_runs([experiment], own, max_results=1)
        return next((str(run.info.run_id) for run in found), None)

    def _parent(self, experiment: str, parent: str | None) -> dict[str, str]:
        if parent is None:
            return {}
        record = Record(self._store.records / parent)
        run_id = record.position.run_id or self._find(experiment, parent)
        if run_id is not None:
            return {PARENT_TAG: run_id}
        if started(record) is not None:
            raise StoreError(f"the store at {self._store.address} has no parent of this run yet")
        return {}  # deleted there, and nobody will send it again

    def _send(self, events: list[Event]) -> None:
        match events[0]:
            case Started(run=run):
                with self._refusals():
                    self._send_params(run.params)
                self._send_tags(run.tags)
            case Tagged(tags=tags):
                self._send_tags(tags)
            case Numbers():
                self._send_numbers(event for event in events if isinstance(event, Numbers))
            case Read(inputs=inputs):
                self._client.log_inputs(self.run_id, [_dataset_input(data) for data in inputs])
            case Kept(path=path):
                self._send_file(path, events[0].time)
            case ModelKept():
                model = LocalModel(self._record.model, self._params(), str(events[0].time))
                log_model(self._client, self._position, model)
            case Finished() | Reopened() as end:
                self._send_status(end)

    def _send_status(self, event: Finished | Reopened) -> None:
        if isinstance(event, Reopened):
            # MLflow forgets no end: its time stands until the next one replaces it.
            self._client.update_run(self.run_id, "RUNNING")
            return
        with self._refusals():
            self._send_numbers_of_model()
        self._client.set_terminated(self.run_id, event.status, event.time)

    def _send_params(self, params: Mapping[str, str]) -> None:
        entities = mlflow_module("mlflow.entities")
        cut = sorted(name for name, value in params.items() if len(value) > _PARAM_LENGTH)
        if cut:
            self._warn(f"MLflow keeps {_PARAM_LENGTH} characters of {cut}; the rest is left out")
            self._send_tags({CUT_TAG: " ".join(cut)})
        pairs = (entities.Param(_name(k), v[:_PARAM_LENGTH]) for k, v in params.items())
        for batch in _batches(pairs, _PAIRS):
            self._client.log_batch(self.run_id, params=batch)

    def _send_tags(self, tags: Mapping[str, str]) -> None:
        entities = mlflow_module("mlflow.entities")
        pairs = (entities.RunTag(_name(k), v[:_TAG_LENGTH]) for k, v in tags.items())
        for batch in _batches(pairs, _PAIRS):
            self._client.log_batch(self.run_id, tags=batch)

    def _send_file(self, path: str, time: int) -> None:
        """Send a file; a figure once more as an image, which MLflow's grid shows beside others.

        Its key is the figure's name and its step 0 in every run, so that the grid lines up.
        """
        file = self._record.file(path)
        self._client.log_artifact(self.run_id, str(file), posixpath.dirname(path) or None)
        if not (path.startswith(FIGURES) and path.endswith(_PNG)):
            return
        key = re.sub(r"[^\w./ -]", "_", path.removeprefix(FIGURES).removesuffix(_PNG))
        pictures = mlflow_module("PIL.Image")
        with suppress(pictures.UnidentifiedImageError), pictures.open(file) as image:
            self._client.log_image(self.run_id, image, key=key, step=0, timestamp=time)

    def _send_numbers(self, events: Iterable[Numbers], model_id: str | None = None) -> None:
        entities = mlflow_module("mlflow.entities")
        metrics = (
            entities.Metric(_name(name), value, event.time, event.step, model_id=model_id)
            for event in events
            for name, value in event.values.items()
        )
        for batch in _batches(metrics, _NUMBERS):
            self._client.log_batch(self.run_id, metrics=batch)

    def _send_numbers_of_model(self) -> None:
        """Repeat the last value of each number under the model, whose page shows only its own."""
        model = find_model(self._client, self._position.experiment_id, self.run_id)
        if model is None:
            return
        latest: dict[str, Numbers] = {}
        for event, _ in self._record.events():
            if isinstance(event, Numbers):
                latest |= dict.fromkeys(event.values, event)
        own = [
            event.model_copy(update={"values": {name: event.values[name]}})
            for name, event in latest.items()
            if not name.startswith(SYSTEM)
        ]
        self._send_numbers(own, model.model_id)

    def _params(self) -> dict[str, str]:
        first = started(self._record)
        params = first.run.params if first else {}
        return {_name(name): value[:_PARAM_LENGTH] for name, value in params.items()}

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Pass over what the store will never take: it must not keep back what comes after."""
        refused = mlflow_module("mlflow.exceptions").MlflowException
        try:
            yield
        except refused as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            if error.message not in self._told:
                self._told.add(error.message)
                self._warn(f"the run store refuses a part of the run: {error.message}")


def _name(text: str) -> str:
    """Return the nearest name that MLflow takes; it refuses most signs, and paths in disguise."""
    return posixpath.normpath(re.sub(r"[^\w./ :-]", "_", text)).lstrip("/")[:_NAME_LENGTH]


def _dataset_input(data: DataInput) -> "DatasetInput":
    entities = mlflow_module("mlflow.entities")
    size = json.dumps({"num_rows": data.rows, "num_classes": data.classes})
    dataset = entities.Dataset(
        name=data.name,
        digest=data.digest[:36],
        source_type="local",
        source=json.dumps({"uri": data.source}),
        profile=size,
    )
    return entities.DatasetInput(dataset, [entities.InputTag("mlflow.data.context", data.context)])


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch

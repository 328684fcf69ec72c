import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from transfer.tracking.delivery import Delivery
from transfer.tracking.door import mlflow_module
from transfer.tracking.events import Finished, Numbers
from transfer.tracking.logged_model import MODEL_FILES, LocalModel, find_model, log_model
from transfer.tracking.record import Record
from transfer.tracking.store import Store, connect

Write = Callable[..., Record]


@pytest.fixture
def delivered(store: Store, written: Write, model_files: Callable[[Path], None]) -> Record:
    record = written(Numbers(step=0, values={"test/accuracy": 0.25, "system/cpu": 1.0}))
    record.keep_model(model_files)
    record.append(Finished(status="FINISHED"))
    delivery = Delivery(store, record, pytest.fail)
    while delivery.advance():
        pass
    return record


def _logged(store: Store, record: Record) -> tuple[Path, str]:
    """Return the folder of the logged model, and its id."""
    at = record.position
    model = find_model(connect(store), at.experiment_id, at.run_id)
    return store.out / "artifacts" / "models" / model.model_id / "artifacts", model.model_id


def test_the_model_stands_in_the_run_as_code_and_data_and_no_pickle(
    store: Store, delivered: Record
) -> None:
    folder, model_id = _logged(store, delivered)

    run = connect(store).get_run(delivered.position.run_id)
    assert [output.model_id for output in run.outputs.model_outputs] == [model_id]
    assert (folder / MODEL_FILES / "network.safetensors").read_bytes() == b"weights"
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert "served_model.py" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".bin"))]


def test_nothing_in_the_model_names_a_folder_of_this_machine(
    store: Store, delivered: Record
) -> None:
    folder, _ = _logged(store, delivered)

    lines = (folder / "MLmodel").read_text().splitlines()

    own = [line for line in lines if not line.startswith("artifact_path:")]  # MLflow's own address
    assert [line for line in own if "://" in line or ": /" in line] == []


def test_the_model_says_what_it_takes_gives_and_needs(store: Store, delivered: Record) -> None:
    folder, _ = _logged(store, delivered)

    signature = mlflow_module("mlflow.models").Model.load(str(folder)).signature

    assert [(column.name, column.type.name) for column in signature.inputs] == [("image", "binary")]
    assert signature.outputs.input_names() == [
        "prediction",
        "probability",
        "probabilities",
        "error",
    ]
    needs = (folder / "requirements.txt").read_text().splitlines()
    assert f"timm=={version('timm')}" in needs
    assert {need.partition("==")[0] for need in needs} == {
        "mlflow",
        "numpy",
        "opencv-python-headless",
        "pandas",
        "pillow",
        "pydantic",
        "safetensors",
        "timm",
        "torch",
    }
    request = json.loads((folder / "serving_input_example.json").read_text())
    assert request["dataframe_split"]["columns"] == ["image"]


def test_the_model_page_has_the_runs_numbers_and_settings(store: Store, delivered: Record) -> None:
    _, model_id = _logged(store, delivered)

    model = connect(store).get_logged_model(model_id)

    assert {metric.key: metric.value for metric in model.metrics} == {"test/accuracy": 0.25}
    assert model.params == {"backbone": "resnet18"}


def test_an_upload_that_was_cut_short_is_replaced(
    store: Store, written: Write, model_files: Callable[[Path], None]
) -> None:
    record = written()
    Delivery(store, record, pytest.fail).advance()
    at, client = record.position, connect(store)
    broken = client.create_logged_model(at.experiment_id, "model", at.run_id)

    record.keep_model(model_files)
    log_model(client, at, LocalModel(record.model, {}, "1"))

    (left,) = client.search_logged_models([at.experiment_id])
    assert left.model_id != broken.model_id
    assert left.status.name == "READY"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A predictor that answers from the name of the first class and the length of the picture."""

    class Predictor:
        def __init__(self, folder: Path) -> None:
            self.classes = tuple(json.loads((folder / "model.json").read_text())["classes"])

        @classmethod
        def from_folder(cls, folder: Path) -> "Predictor":
            return cls(folder)

        def predict_bytes(self, pictures: list[bytes]) -> pd.DataFrame:
            shares = [len(picture) / 10 for picture in pictures]
            return pd.DataFrame(
                {
                    "image": [f"image {number}" for number in range(len(pictures))],
                    "prediction": [self.classes[0] for _ in pictures],
                    "probability": shares,
                    "p_a": shares,
                    "p_b": [1 - share for share in shares],
                    "error": "",
                }
            )

    module = ModuleType("transfer.shipping.predictor")
    module.Predictor = Predictor
    monkeypatch.setitem(sys.modules, "transfer.shipping.predictor", module)


@pytest.mark.usefixtures("stand_in")
def test_mlflow_loads_the_model_and_serves_pictures(store: Store, delivered: Record) -> None:
    folder, _ = _logged(store, delivered)

    model = mlflow_module("mlflow.pyfunc").load_model(str(folder))
    answers = model.predict(pd.DataFrame({"image": [b"1234567", b"12345678"]}))

    assert answers["prediction"].tolist() == ["a", "a"]
    assert answers["probability"].tolist() == [0.7, 0.8]
    assert answers["probabilities"].tolist() == [[0.7, 1 - 0.7], [0.8, 1 - 0.8]]
    assert answers["error"].tolist() == ["", ""]

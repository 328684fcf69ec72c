"""The model of a run as MLflow keeps it: code, safetensors and JSON, and no pickle."""

import base64
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from transfer.tracking.door import mlflow_module
from transfer.tracking.record import SENDING, Position

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

MODEL_FILES = "artifacts/model"
"""Where the model's own files stand among the artifacts of a logged model."""

VERSION_TAG = "transfer.version"
"""Tag of a model that changes when a run that is continued keeps another."""

_PICTURE = base64.b64decode(  # 8 x 8 px, white, PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mP8zwABTAwUMQBJQQEPkWFcdwAAAABJRU5ErkJg"
    "gg=="
)
_CODE = Path(__file__).parents[1] / "shipping" / "served_model.py"
_RUNS_WITH = (  # this framework installed beside it
    "torch",
    "timm",
    "numpy",
    "pandas",
    "pillow",
    "opencv-python-headless",
    "safetensors",
    "pydantic",
)


@dataclass(frozen=True)
class LocalModel:
    """The model of a run before MLflow has it.

    Attributes:
        folder: of its files.
        params: of the run.
        version: another one for every model that takes the place of one before.
    """

    folder: Path
    params: Mapping[str, str]
    version: str


def log_model(client: "MlflowClient", at: Position, local: LocalModel) -> None:
    """Log the model under the run at `at`, in the place of an earlier version, if need be."""
    model = find_model(client, at.experiment_id, at.run_id)
    if model is None or model.tags.get(VERSION_TAG) != local.version:
        model = _upload(client, at, local, model or _create(client, at, local))
    outputs = client.get_run(at.run_id).outputs
    if model.model_id not in {output.model_id for output in outputs.model_outputs}:
        output = mlflow_module("mlflow.entities").LoggedModelOutput(model.model_id, step=0)
        client.log_outputs(at.run_id, [output])


def find_model(client: "MlflowClient", experiment_id: str, run_id: str) -> "LoggedModel | None":
    """Return the model of a run as MLflow describes it, or None."""
    ready = mlflow_module("mlflow.entities").LoggedModelStatus.READY
    models = _models(client, experiment_id, run_id)
    return next((model for model in models if model.status == ready), None)


def _models(client: "MlflowClient", experiment_id: str, run_id: str) -> "list[LoggedModel]":
    own = f"source_run_id = '{run_id}'"
    return list(client.search_logged_models([experiment_id], own))


def _create(client: "MlflowClient", at: Position, local: LocalModel) -> "LoggedModel":
    for broken_off in _models(client, at.experiment_id, at.run_id):
        client.delete_logged_model(broken_off.model_id)
    return client.create_logged_model(
        at.experiment_id, "model", at.run_id, params=dict(local.params), model_type="classifier"
    )


def _upload(
    client: "MlflowClient", at: Position, local: LocalModel, model: "LoggedModel"
) -> "LoggedModel":
    with TemporaryDirectory(prefix=SENDING, dir=local.folder.parent) as place:
        saved = Path(place) / "saved"
        save(saved, local.folder, model, at.run_id)
        client.log_model_artifacts(model.model_id, str(saved))
    client.set_logged_model_tags(model.model_id, {VERSION_TAG: local.version})
    ready = mlflow_module("mlflow.entities").LoggedModelStatus.READY
    return client.finalize_logged_model(model.model_id, ready)


def save(
    path: Path,
    files: Path,
    model: "LoggedModel",
    run_id: str,
    *,
    needs: Sequence[str] = _RUNS_WITH,
    code: Sequence[Path] = (),
) -> None:
    """Write a model to `path` in MLflow's own layout.

    Args:
        path: of a folder that is not there yet.
        files: the model's own, as a run keeps them.
        model: as MLflow knows it.
        run_id: whose it is.
        needs: packages that it runs with, each pinned to the version that is here.
        code: folders and files that travel with it, and are found first.
    """
    import pandas as pd  # noqa: PLC0415  # as late as MLflow, which brings it along

    models = mlflow_module("mlflow.models")
    about = models.Model(
        artifact_path=model.artifact_location,
        model_uuid=model.model_id,
        model_id=model.model_id,
        run_id=run_id,
    )
    mlflow_module("mlflow.pyfunc").save_model(
        path=str(path),
        mlflow_model=about,
        python_model=str(_CODE),
        artifacts={"model": files.as_uri()},
        pip_requirements=[_pinned(name) for name in needs],
        signature=_signature(),
        input_example=pd.DataFrame({"image": [_PICTURE]}),  # shows what to send to a served model
        code_paths=[str(each) for each in code] or None,
    )
    flavor = about.flavors["python_function"]
    flavor["model_code_path"] = _CODE.name  # MLflow writes down where they lay on this machine
    flavor["artifacts"]["model"]["uri"] = MODEL_FILES
    about.save(str(path / "MLmodel"))
    shutil.rmtree(path / "__pycache__", ignore_errors=True)


def _signature() -> "ModelSignature":
    """Return what goes in, an encoded picture (JPEG, PNG, ...), and what comes out."""
    types = mlflow_module("mlflow.types")
    columns = [
        types.ColSpec("string", "prediction"),
        types.ColSpec("double", "probability"),
        types.ColSpec(mlflow_module("mlflow.types.schema").Array("double"), "probabilities"),
        types.ColSpec("string", "error"),
    ]
    picture = types.Schema([types.ColSpec("binary", "image")])
    return mlflow_module("mlflow.models").ModelSignature(picture, types.Schema(columns))


def _pinned(name: str) -> str:
    try:
        return f"{name}=={version(name).partition('+')[0]}"  # "+cu128" is on no package index
    except PackageNotFoundError:
        return name  # a sister package brings the same module, such as opencv-python

"""Models that have a name, and the alias that says which version of it is in use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from transfer.errors import PromotionError
from transfer.tracking.door import answering, mlflow_module
from transfer.tracking.logged_model import save
from transfer.tracking.store import Store, connect, exists

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_TAG = "transfer.run"
"""Tag of a model that travels alone: id of the run that it was made of."""

_REFUSED = r"[/:.%\"']"
_RESERVED = r"latest|v\d+"


@dataclass(frozen=True)
class Parcel:
    """A model with all that it needs to answer where this framework is not installed.

    Attributes:
        files: folder of the model's own files.
        code: packages that travel with it.
        needs: names of packages that do not.
    """

    files: Path
    code: tuple[Path, ...]
    needs: tuple[str, ...]


def check_names(name: str, alias: str) -> None:
    """Refuse names that MLflow's registry would not take.

    Raises:
        PromotionError: with what is wrong.
    """
    if not name or re.search(_REFUSED, name):
        raise PromotionError(
            f"--name {name!r}: a model's name has no slash, colon, dot, % or quote"
        )
    if not re.fullmatch(r"[A-Za-z0-9_-]+", alias) or re.fullmatch(_RESERVED, alias):
        raise PromotionError(
            f"--as {alias!r}: an alias is of letters, digits, - and _, and not latest or v1"
        )


def run_of_alias(store: Store, text: str) -> str | None:
    """Return the id of the run that "ALIAS:NAME" stands for, or None where it stands for none.

    Raises:
        StoreError: the store does not answer.
    """
    alias, colon, name = text.partition(":")
    if not (colon and alias and name) or not exists(store):
        return None
    refused = mlflow_module("mlflow.exceptions").MlflowException
    with answering(store.address):
        try:
            return str(connect(store).get_model_version_by_alias(name, alias).run_id)
        except refused as error:
            if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                raise
            return None


def register(
    store: Store, run_id: str, name: str, alias: str, parcel: Parcel, tags: Mapping[str, str]
) -> str:
    """Keep `parcel` as the next version of the model `name`, give it `alias`, return its number.

    Raises:
        StoreError: the store does not answer.
    """
    with answering(store.address):
        client = connect(store)
        _make(client, name)
        experiment = client.get_run(run_id).info.experiment_id
        model = client.create_logged_model(
            experiment, f"{name}-alone", tags={RUN_TAG: run_id}, model_type="classifier"
        )
        with TemporaryDirectory() as place:
            saved = Path(place) / "saved"
            save(saved, parcel.files, model, run_id, needs=parcel.needs, code=parcel.code)
            client.log_model_artifacts(model.model_id, str(saved))
        ready = mlflow_module("mlflow.entities").LoggedModelStatus.READY
        model = client.finalize_logged_model(model.model_id, ready)
        version = client.create_model_version(
            name, model.artifact_location, run_id, dict(tags), model_id=model.model_id
        )
        client.set_registered_model_alias(name, alias, version.version)
        return str(version.version)


def _make(client: "MlflowClient", name: str) -> None:
    """Make the registered model called `name`, unless it is there."""
    refused = mlflow_module("mlflow.exceptions").MlflowException
    try:
        client.create_registered_model(name)
    except refused as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise

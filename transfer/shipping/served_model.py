"""A run's predictor as MLflow serves it; MLflow copies this file into every model and runs it."""

from pathlib import Path

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext


class ServedModel(PythonModel):  # type: ignore[misc]  # MLflow carries no types
    """Pictures in, probabilities out; the arguments have the names that MLflow looks for."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model from the files beside this one."""
        # Late: MLflow runs this file as well where a model is only logged.
        from transfer.shipping.predictor import Predictor  # noqa: PLC0415

        self._predictor = Predictor.from_folder(Path(context.artifacts["model"]))

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002  # MLflow's names
        """Return one row for each encoded picture (JPEG, PNG, ...) of the column `image`.

        Columns: prediction, probability, probabilities (a list in the order of the classes), and
        error, "" where the picture could be read.
        """
        table = self._predictor.predict_bytes(list(model_input["image"]))
        columns = [f"p_{name}" for name in self._predictor.classes]
        table["probabilities"] = table[columns].to_numpy(dtype=float).tolist()
        table["probability"] = table["probability"].astype(float)
        return table[["prediction", "probability", "probabilities", "error"]]


mlflow.models.set_model(ServedModel())

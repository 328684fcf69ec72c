import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from transfer.shipping.served_model import ServedModel


class _Predictor:
    """Reads pictures that are not empty; its classes come from the folder's name."""

    def __init__(self, folder: Path) -> None:
        self.classes = tuple(folder.name.split("-"))

    @classmethod
    def from_folder(cls, folder: Path) -> "_Predictor":
        return cls(folder)

    def predict_bytes(self, pictures: list[bytes]) -> pd.DataFrame:
        known = np.array([[0.25, 0.75] if picture else [np.nan] * 2 for picture in pictures])
        table = {
            "image": "picture",
            "prediction": [self.classes[1] if picture else None for picture in pictures],
            "probability": known.max(axis=1).astype(np.float32),
            **{f"p_{name}": known[:, k].astype(np.float32) for k, name in enumerate(self.classes)},
            "error": ["" if picture else "empty" for picture in pictures],
        }
        return pd.DataFrame(table)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> ServedModel:
    module = ModuleType("transfer.shipping.predictor")
    module.Predictor = _Predictor
    monkeypatch.setitem(sys.modules, "transfer.shipping.predictor", module)
    model = ServedModel()
    model.load_context(SimpleNamespace(artifacts={"model": "/somewhere/cat-dog"}))
    return model


def test_each_picture_gets_its_class_and_all_probabilities(served: ServedModel) -> None:
    answers = served.predict(None, pd.DataFrame({"image": [b"one", b"two"]}, index=[7, 9]))

    assert answers.columns.tolist() == ["prediction", "probability", "probabilities", "error"]
    assert answers["prediction"].tolist() == ["dog", "dog"]
    assert answers["probabilities"].tolist() == [[0.25, 0.75]] * 2
    assert answers["probability"].tolist() == [0.75, 0.75]
    assert isinstance(answers["probabilities"].iloc[0][0], float)


def test_a_picture_that_cannot_be_read_is_a_row_with_its_error(served: ServedModel) -> None:
    answers = served.predict(None, pd.DataFrame({"image": [b"one", b""]}))

    assert answers["error"].tolist() == ["", "empty"]
    assert answers["prediction"].tolist()[0] == "dog"
    assert np.isnan(answers["probability"].iloc[1])

"""Brightness and contrast about the chip's own mean, which is found faster than numpy finds it."""

from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray


class Light(A.RandomBrightnessContrast):  # type: ignore[misc]  # albumentations has no types here
    """A.RandomBrightnessContrast(brightness_by_max=False), with the same draws and the same pixels.

    A step of the same size on all chips would drown a dark forest.
    """

    def __init__(self, limit: float) -> None:
        """Move brightness and contrast by this share of the mean at most."""
        super().__init__(
            brightness_limit=limit, contrast_limit=limit, brightness_by_max=False, p=1.0
        )

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, float]:
        """Return factor and offset of the pixels of an image (S, S, C)."""
        image = data["image"]
        if image.dtype != np.uint8:  # whose sum numpy rounds in its own way
            drawn: dict[str, float] = super().get_params_dependent_on_data(params, data)
            return drawn
        factor = 1.0 + self.py_random.uniform(*self.contrast_limit)
        return {
            "alpha": factor,
            "beta": self.py_random.uniform(*self.brightness_limit) * _mean(image),
        }


def _mean(image: NDArray[np.uint8]) -> float:
    """Return the mean of all bytes; their sum is exact, so that it is numpy's to the last bit."""
    flat = np.ascontiguousarray(image).reshape(len(image), -1)
    return float(cv2.sumElems(flat)[0] / image.size)

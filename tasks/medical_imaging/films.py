"""Chest films, drawn: patients differ for life, films of one patient in how they were taken."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Rng = np.random.Generator

_SIDE = 128  # of the drawing, px; a film is a part of it
_SICK = 0.45  # of the patients
_HEALED = 0.15  # of the films of a patient with the finding: taken before it came, or after it went


_RIB, _SPINE = 0.35, 0.1  # how much of the way from rib to rib is bone; half the spine's width


@dataclass(frozen=True)
class Patient:
    """What stays the same from film to film.

    Attributes:
        seed: of the anatomy, and of how films are taken.
        sick: has the finding on most films.
        where: centre of the finding, in units of half the side: (across, down).
        spread: of the finding, in the same units.
        density: of the finding, as a share of the range from black to white.
    """

    seed: tuple[int, ...]
    sick: bool
    where: tuple[float, float]
    spread: tuple[float, float]
    density: float


def draw_patient(seed: int, number: int) -> Patient:
    """Return patient `number`; the same seed gives the same patient."""
    rng = np.random.default_rng((seed, number))
    side = rng.choice((-1, 1))
    return Patient(
        seed=(seed, number, 1),
        sick=_chance(rng, _SICK),
        where=(float(side * rng.uniform(0.28, 0.52)), float(rng.uniform(-0.4, 0.35))),
        spread=(float(rng.uniform(0.09, 0.22)), float(rng.uniform(0.09, 0.22))),
        density=float(rng.uniform(0.14, 0.4)),
    )


def draw_film(patient: Patient, rng: Rng) -> tuple[Plane, bool]:
    """Return a film (H, W) in [0, 1], bone white, and whether it shows the finding."""
    shown = patient.sick and not _chance(rng, _HEALED)
    own = np.random.default_rng(patient.seed)
    chest = _anatomy(own)
    if shown:
        chest = chest + _opacity(patient, rng)
    return _taken(chest, own, rng), shown


def _anatomy(rng: Rng) -> Plane:
    """Return a chest (_SIDE, _SIDE): soft tissue, lungs, spine, heart, ribs, and what is worn."""
    x, y = _axes()
    width, heart = rng.uniform(0.72, 0.95), rng.uniform(0.16, 0.3)
    body = _soft(1 - (x / width) ** 4 - (y / 1.4) ** 4, 0.15)
    chest = rng.uniform(0.5, 0.62) * body
    reach, base = rng.uniform(0.5, 0.68), rng.uniform(-0.1, 0.05)
    for side in (-1, 1):
        wide = rng.uniform(0.24, 0.3) * width / 0.85
        lung = _ellipse(x - side * rng.uniform(0.38, 0.44) * width / 0.85, y - base, wide, reach)
        chest = chest - rng.uniform(0.3, 0.36) * lung * (0.85 + 0.15 * _cloud(rng, 5))
    chest = chest + rng.uniform(0.15, 0.25) * np.exp(-((x / _SPINE) ** 2)) * body
    chest = chest + 0.2 * _ellipse(x - 0.12, y - base - 0.22, heart, rng.uniform(0.24, 0.34))
    pitch, droop, phase = rng.uniform(0.14, 0.2), rng.uniform(0.15, 0.5), rng.uniform(0, 1)
    arch = np.abs(np.sin(np.pi * ((y - droop * np.abs(x)) / pitch + phase)))
    ribs = (arch < _RIB) & (np.abs(x) > _SPINE)
    chest = chest + rng.uniform(0.04, 0.1) * ribs * body
    if _chance(rng, 0.4):  # a port, a lead or a necklace; it says who it is, not what they have
        chest = chest + 0.3 * _ellipse(
            x - rng.uniform(-0.6, 0.6), y - rng.uniform(-0.7, 0.6), *rng.uniform(0.03, 0.09, 2)
        )
    return np.asarray(chest + 0.03 * _cloud(rng, 12) * body, np.float32)


def _opacity(patient: Patient, rng: Rng) -> Plane:
    """Return what the finding adds: a patch without an edge, uneven, and never twice the same."""
    x, y = _axes()
    drift = rng.normal(0, 0.02, 2)
    across = (x - patient.where[0] - drift[0]) / patient.spread[0]
    down = (y - patient.where[1] - drift[1]) / patient.spread[1]
    patch = np.exp(-(across**2) - down**2) * (1 + 0.5 * _cloud(rng, 16))
    return np.asarray(patient.density * rng.uniform(0.7, 1.3) * patch, np.float32)


def _taken(chest: Plane, habit: Rng, rng: Rng) -> Plane:
    """Return the film that is taken of a chest: leant, collimated, exposed, with its grain.

    Args:
        chest: (_SIDE, _SIDE).
        habit: the same for all films of a patient, who are taken by one ward and one machine.
        rng: of this film.
    """
    turn = cv2.getRotationMatrix2D(
        (_SIDE / 2, _SIDE / 2),
        habit.normal(0, 2) + rng.normal(0, 0.7),
        habit.uniform(0.92, 1.08) + rng.normal(0, 0.01),
    )
    turn[:, 2] += habit.normal(0, 2, 2) + rng.normal(0, 0.7, 2)
    chest = cv2.warpAffine(chest, turn, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
    height, width = (
        int(_SIDE * min(habit.uniform(0.82, 0.98) + rng.uniform(0, 0.02), 1)) for _ in range(2)
    )
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    film = chest[top : top + height, left : left + width]
    if _chance(habit, 0.5):  # breasts, a blanket: soft and on both sides, and nothing to be found
        down = (np.linspace(-1, 1, height)[:, None] - habit.uniform(0, 0.5)) / 0.3
        film = np.asarray(film + habit.uniform(0.02, 0.1) * np.exp(-(down**2)), np.float32)
    film = np.clip(film, 0, 1) ** (habit.uniform(0.75, 1.3) * rng.uniform(0.96, 1.04))
    return np.asarray(np.clip(film + rng.normal(0, 0.02, film.shape), 0, 1), np.float32)


def _chance(rng: Rng, probability: float) -> bool:
    return bool(rng.random() < probability)


def _axes() -> tuple[Plane, Plane]:
    along = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    return along[None, :], along[:, None]


def _ellipse(x: Plane, y: Plane, wide: float, high: float) -> Plane:
    return _soft(1 - (x / wide) ** 2 - (y / high) ** 2, 0.25)


def _soft(inside: Plane, edge: float) -> Plane:
    return np.asarray(1 / (1 + np.exp(np.clip(-inside / (edge / 4), -60, 60))), np.float32)


def _cloud(rng: Rng, cells: int) -> Plane:
    """Return smooth noise (_SIDE, _SIDE) of about unit variance, so many cells a side."""
    coarse = rng.standard_normal((cells, cells), np.float32)
    return np.asarray(cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC))

"""Draw faces: what a person keeps, what a session keeps, and what every picture changes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 112
"""Of a picture, px."""

_CANVAS = 200
"""Of a drawing, px; a picture is a turned and shifted part of it."""
_BITS = 4  # of a px, for smooth edges

Rng = np.random.Generator
Colour = tuple[float, float, float]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """What stays: shapes as shares of the half width of a face, and colours in 0..255."""

    skin: Colour
    hair: Colour
    iris: Colour
    length: float
    jaw: float
    eyes_apart: float
    eye_height: float
    eye_size: float
    brow_thick: float
    brow_tilt: float
    brow_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    lips: float
    hairline: float
    sides: float
    beard: float

    @classmethod
    def drawn(cls, rng: Rng) -> "Person":
        """Return somebody."""
        tone = rng.uniform(0.45, 1.0)
        skin = np.array([232.0, 190.0, 160.0]) * tone * rng.normal(1, 0.03, 3)
        hair = np.array([[40, 30, 25], [95, 60, 35], [165, 120, 70], [150, 150, 150]])[
            rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])
        ]
        iris = np.array([[60, 40, 25], [70, 95, 120], [75, 95, 60]])[
            rng.choice(3, p=[0.6, 0.2, 0.2])
        ]
        return cls(
            skin=_colour(skin),
            hair=_colour(hair * rng.uniform(0.8, 1.2)),
            iris=_colour(iris * rng.uniform(0.8, 1.2)),
            length=rng.uniform(1.18, 1.42),
            jaw=rng.uniform(0.55, 0.85),
            eyes_apart=rng.uniform(0.40, 0.52),
            eye_height=rng.uniform(-0.22, -0.08),
            eye_size=rng.uniform(0.10, 0.16),
            brow_thick=rng.uniform(0.03, 0.10),
            brow_tilt=rng.uniform(-0.35, 0.25),
            brow_height=rng.uniform(0.16, 0.28),
            nose_length=rng.uniform(0.38, 0.58),
            nose_width=rng.uniform(0.10, 0.22),
            mouth_width=rng.uniform(0.26, 0.44),
            mouth_height=rng.uniform(0.20, 0.32),
            lips=rng.uniform(0.03, 0.09),
            hairline=rng.uniform(0.45, 0.85),
            sides=rng.uniform(0.0, 0.9),
            beard=float(rng.random() < 0.25) * rng.uniform(0.3, 0.8),  # noqa: PLR2004  # one in four
        )


@dataclass(frozen=True)
class Session:
    """What the pictures of a day share: light, background, clothes, glasses."""

    light: Colour
    lean: float
    ground: Colour
    ground_far: Colour
    clothes: Colour
    glasses: bool
    blur: float
    make_up: float

    @classmethod
    def drawn(cls, rng: Rng) -> "Session":
        """Return a day."""
        return cls(
            light=_colour(rng.lognormal(0, 0.22) * rng.lognormal(0, 0.06, 3)),
            lean=rng.uniform(-0.45, 0.45),
            ground=_colour(rng.uniform(20, 220, 3)),
            ground_far=_colour(rng.uniform(20, 220, 3)),
            clothes=_colour(rng.uniform(10, 230, 3)),
            glasses=bool(rng.random() < 0.25),  # noqa: PLR2004  # one in four
            blur=rng.uniform(0.4, 1.3),
            make_up=rng.uniform(0, 0.5),
        )


def draw_face(person: Person, session: Session, rng: Rng) -> tuple[NDArray[np.uint8], Points]:
    """Return a picture, RGB (112, 112, 3) uint8, and its five landmarks (5, 2), px.

    Landmarks lie as a detector would give them: about a pixel off.
    """
    canvas = _background(session)
    points = _Face(person, session, rng).draw_on(canvas)
    warp = cv2.getRotationMatrix2D(
        (_CANVAS / 2, _CANVAS / 2), rng.normal(0, 9), rng.uniform(0.85, 1.15)
    )
    warp[:, 2] += (SIDE - _CANVAS) / 2 + rng.normal(0, 4, 2)
    seen = cv2.warpAffine(canvas, warp, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.GaussianBlur(seen, (0, 0), session.blur * rng.uniform(0.8, 1.25))
    across = np.linspace(-1, 1, SIDE, dtype=np.float32)[None, :, None]
    seen = seen * np.array(session.light, np.float32) * (1 + session.lean * across)
    seen = seen * rng.lognormal(0, 0.06) + rng.normal(0, 5, seen.shape)
    picture: NDArray[np.uint8] = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    return picture, points @ warp[:, :2].T + warp[:, 2] + rng.normal(0, 0.7, points.shape)


class _Face:
    """One face in the middle of a canvas, looking a little to a side, with an expression."""

    def __init__(self, person: Person, session: Session, rng: Rng) -> None:
        self._person, self._session = person, session
        self._half = 40.0  # half its width, px
        self._yaw, self._pitch = rng.normal(0, 0.10), rng.normal(0, 0.05)
        self._smile, self._open = rng.normal(0, 0.06), max(0.0, rng.normal(0, 0.06))
        self._lids = rng.uniform(0.55, 1.0)

    def draw_on(self, canvas: NDArray[np.float32]) -> Points:
        """Draw the face, and return its landmarks."""
        person = self._person
        self._ellipse(canvas, (0, 1.9), (1.5, 0.75), self._session.clothes)
        self._ellipse(canvas, (0, 1.1), (0.45, 0.7), _shade(person.skin, 0.85))
        self._hair(canvas)
        self._skull(canvas)
        landmarks = [self._eye(canvas, side) for side in (-1, 1)]
        landmarks.append(self._nose(canvas))
        landmarks += self._mouth(canvas)
        if self._session.glasses:
            self._glasses(canvas)
        return np.array(landmarks)

    def _hair(self, canvas: NDArray[np.float32]) -> None:
        person = self._person
        self._ellipse(canvas, (0, -0.25), (1.12, person.length * 0.95), person.hair)
        if person.sides > 0.5:  # noqa: PLR2004  # long hair
            for side in (-1, 1):
                self._ellipse(canvas, (side * 0.95, 0.35), (0.3, 0.6 + person.sides), person.hair)

    def _skull(self, canvas: NDArray[np.float32]) -> None:
        person = self._person
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        x, y = np.cos(angles), np.sin(angles)
        narrow = 1 - (1 - person.jaw) * np.clip(y, 0, 1) ** 1.5
        top = -person.hairline / person.length
        outline = np.column_stack([x * narrow, np.maximum(y, top) * person.length])
        self._fill(canvas, outline, person.skin)
        if person.beard:
            chin = np.column_stack([x * narrow * 0.95, np.maximum(y, 0.28) * person.length * 0.99])
            self._fill(canvas, chin, _mix(person.skin, person.hair, person.beard))

    def _eye(self, canvas: NDArray[np.float32], side: int) -> Points:
        person = self._person
        centre = np.array([side * person.eyes_apart, person.eye_height])
        size = person.eye_size
        self._ellipse(canvas, centre, (size * 1.3, size * 0.75 * self._lids), (240, 240, 240), 1)
        look = centre + np.array([0.3 * self._yaw, 0])
        self._ellipse(canvas, look, (size * 0.6, size * 0.65 * self._lids), person.iris, 1)
        inner = centre + np.array([-side * 0.17, -person.brow_height])
        outer = centre + np.array([side * 0.24, -person.brow_height + person.brow_tilt * 0.3])
        brow = _mix(person.hair, (20, 20, 20), 0.3)
        self._line(
            canvas,
            [inner, (inner + outer) / 2 - np.array([0, 0.04]), outer],
            brow,
            person.brow_thick,
        )
        return self._place(centre, 1)

    def _nose(self, canvas: NDArray[np.float32]) -> Points:
        person, dark = self._person, _shade(self._person.skin, 0.72)
        tip = np.array([0.0, person.eye_height + person.nose_length])
        wing = np.array([person.nose_width, 0.0])
        top = np.array([person.nose_width * 0.35, person.eye_height + 0.08])
        self._line(canvas, [top, tip + wing * 0.7, tip + wing], dark, 0.04, 1.5)
        self._line(canvas, [tip - wing, tip + np.array([0, 0.05]), tip + wing], dark, 0.05, 1.5)
        return self._place(tip, 1.5)

    def _mouth(self, canvas: NDArray[np.float32]) -> list[Points]:
        person = self._person
        middle = person.eye_height + person.nose_length + person.mouth_height
        lips = _mix(_shade(person.skin, 0.75), (170, 40, 60), 0.25 + self._session.make_up)
        corners = [np.array([side * person.mouth_width, middle - self._smile]) for side in (-1, 1)]
        opening = self._open + person.lips
        upper = [corners[0], np.array([0, middle - opening * 0.8]), corners[1]]
        lower = [corners[1], np.array([0, middle + opening * 1.2 + self._smile]), corners[0]]
        self._fill(canvas, np.array(upper + lower), lips, 1.2)
        self._line(canvas, [corners[0], np.array([0, middle + self._smile]), corners[1]],
                   _shade(lips, 0.5), 0.03 + self._open, 1.2)  # fmt: skip
        return [self._place(corner, 1.2) for corner in corners]

    def _glasses(self, canvas: NDArray[np.float32]) -> None:
        person = self._person
        angles = np.linspace(0, 2 * np.pi, 25)
        for side in (-1, 1):
            rim = np.column_stack([np.cos(angles) * 0.3, np.sin(angles) * 0.24])
            rim += (side * person.eyes_apart, person.eye_height)
            self._line(canvas, list(rim), (25, 25, 25), 0.045, 1)

    def _place(self, point: Points, depth: float = 0.0) -> Points:
        """Return where points (..., 2) of the face lie on the canvas; what lies in front moves."""
        turned = np.asarray(point) + depth * np.array([self._yaw, self._pitch])
        return turned * self._half + _CANVAS / 2

    def _fill(
        self, canvas: NDArray[np.float32], outline: Points, colour: Colour, depth: float = 0.0
    ) -> None:
        corners = self._place(outline, depth)
        cv2.fillPoly(canvas, [_fixed(corners)], colour, cv2.LINE_AA, _BITS)

    def _ellipse(
        self,
        canvas: NDArray[np.float32],
        centre: tuple[float, float] | Points,
        radii: tuple[float, float],
        colour: Colour,
        depth: float = 0.0,
    ) -> None:
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        outline = np.column_stack([np.cos(angles) * radii[0], np.sin(angles) * radii[1]]) + centre
        self._fill(canvas, outline, colour, depth)

    def _line(
        self,
        canvas: NDArray[np.float32],
        through: list[Points],
        colour: Colour,
        width: float,
        depth: float = 1.0,
    ) -> None:
        places = self._place(np.array(through), depth)
        thick = max(1, round(width * self._half))
        cv2.polylines(canvas, [_fixed(places)], False, colour, thick, cv2.LINE_AA, _BITS)  # noqa: FBT003  # OpenCV's own


def _background(session: Session) -> NDArray[np.float32]:
    down = np.linspace(0, 1, _CANVAS, dtype=np.float32)[:, None, None]
    near, far = (np.array(c, np.float32) for c in (session.ground, session.ground_far))
    canvas: NDArray[np.float32] = np.ascontiguousarray(
        np.broadcast_to(near + (far - near) * down, (_CANVAS, _CANVAS, 3))
    )
    return canvas


def _fixed(points: Points) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.rint(points * 2**_BITS).astype(np.int32)
    return fixed


def _colour(values: NDArray[np.float64]) -> Colour:
    red, green, blue = values.tolist()
    return red, green, blue


def _shade(colour: Colour, share: float) -> Colour:
    return _colour(np.array(colour) * share)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    return _colour(np.array(one) * (1 - share) + np.array(other) * share)

"""What a user of driving data can set: what belongs together, the views, and what is judged."""

import re
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from transfer import ObjectSettings

_PAIR = 2


def _separated(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(filter(None, map(str.strip, value.split(","))))


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


def _ascending(edges: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"edges {list(edges)} have to rise, as in 25,40")
    return edges


def _pairs(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        names = pair(text)
        if len(names) != _PAIR or not all(names) or len(set(names)) < _PAIR:
            raise ValueError(f"{text!r} is no pair of classes; write two names, as in red:green")
    return texts


def pair(text: str) -> tuple[str, ...]:
    """Return the names of a costly pair, as they are written in the settings."""
    return tuple(map(str.strip, text.split(":")))


Names = Annotated[tuple[str, ...], BeforeValidator(_separated)]
Pairs = Annotated[Names, AfterValidator(_pairs)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Edges = Annotated[tuple[float, ...], BeforeValidator(_separated), AfterValidator(_ascending)]


class Settings(ObjectSettings):
    """What belongs together, the views of an object, and which slices and pairs are scored."""

    only: Names = ()
    """Classes that are taken, in any case of letters, such as car,bus,person; none takes all."""
    leave_out: Names = ()
    """Classes that are left out and counted, such as Misc,Person_sitting."""
    drive: Pattern = ""
    """How the path of a picture tells its drive: a regular expression, whose groups are the drive,
    or all that it matches where it has none. Unset takes the folder above the frames that is not
    part of the layout (image_2, images, train, ...)."""
    track: Pattern = r"^((?:.*/)?\d{5})_\d{5}\.\w+$"
    """How the path of a picture of one object, without a box of its frame, tells its track: the
    same object seen again and again. Unset knows none; as it is, it fits GTSRB."""
    mirrored: Names = (
        "bicycle", "bike", "bus", "car", "cyclist", "motor", "motorbike", "motorcycle",
        "motorcyclist", "pedestrian", "people", "person", "person_sitting", "rider", "trailer",
        "train", "tram", "truck", "van",
    )  # fmt: skip
    """Classes of which half of the views are mirrored left to right, in any case of letters. All
    others stay as they are: a sign that turns left would become one that turns right."""
    zoom: float = Field(default=0.15, ge=0, lt=1)
    """How far a view is scaled up or down, as a share: boxes are not drawn alike."""
    shift: float = Field(default=0.08, ge=0, le=0.5)
    """How far a view is moved, as a share of its side."""
    rotate: float = Field(default=8, ge=0, le=45)
    """How far a view is turned, degrees: cameras roll and poles lean, but an arrow has to keep its
    direction."""
    light: float = Field(default=0.3, ge=0, le=0.5)
    """How far brightness and contrast move, as a share: sun, shade and night."""
    blur: float = Field(default=0.3, ge=0, le=1)
    """Share of the views that are blurred, as what is far away or passed quickly is."""
    costly: Pairs = ("car:truck", "cyclist:pedestrian", "green:red", "speedlimit:stop")
    """Pairs of classes that must not be taken for each other, as FIRST:SECOND with commas between;
    each is a score where both are classes, in any case of letters."""
    heights: Edges = (25, 40)
    """Edges of the slices by the height of the box, px; those of KITTI's easy, moderate and hard
    objects. A picture without a box is all object."""
    truncations: Edges = (0.15, 0.3, 0.5)
    """Edges of the slices by how much of an object lies beyond the frame, as a share; KITTI's."""
    brightnesses: Edges = (0.2, 0.4)
    """Edges of the slices by the mean brightness of what is read around the object, 0 to 1; about
    a third of GTSRB lies in each."""

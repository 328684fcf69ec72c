"""What a user of satellite chips can set: their views, bands and places."""

from typing import Any

from pydantic import Field, field_validator

from tasks.satellite_vegetation.indices import parse_indices
from transfer import TaskSettings


class Settings(TaskSettings):
    """The views of a chip, and how files of many bands are read."""

    rotate: bool = True
    """Turn and mirror chips in all eight ways; seen from orbit, north is arbitrary."""
    crop: float = Field(default=0.7, gt=0, le=1)
    """Smallest share of a chip's area that a view shows; 1 shows all of it."""
    light: float = Field(default=0.1, ge=0, le=0.5)
    """How far brightness and contrast move, as a share; colour tells land covers apart."""
    file_bands: tuple[str, ...] = ()
    """Names of all bands of a GeoTIFF, in order, such as B2,B3,B4,B8A; none takes those that the
    file gives, or `bands` itself where it names as many as there are."""
    scale: float | None = Field(default=None, gt=0)
    """Reflectance of a stored 1; unset takes what the file declares, else 1/10000 for 16-bit
    integers, as in Sentinel-2, and 1 for floats. Bytes stay bytes."""
    indices: tuple[str, ...] = ()
    """Bands that are computed, such as ndvi=(B8A-B4)/(B8A+B4), where `bands` names them; + - * /
    and brackets, over bands of the file; -1 to 1 becomes 0 to 1."""
    block_m: float = Field(default=6400, ge=0)
    """Side of the squares of land that are never divided between splits, metres, where files say
    where they lie and no table says what belongs together; ten chips of Sentinel-2. 0 takes each
    chip for itself, and scores then flatter: neighbours look alike."""

    @field_validator("file_bands", "indices", mode="before")
    @classmethod
    def _separate(cls, names: Any) -> Any:
        return tuple(map(str.strip, names.split(","))) if isinstance(names, str) else names

    @field_validator("indices")
    @classmethod
    def _check(cls, indices: tuple[str, ...]) -> tuple[str, ...]:
        parse_indices(indices)
        return indices

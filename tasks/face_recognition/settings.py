"""What a user of faces can set: what is asked of them, alignment, and the views."""

from enum import StrEnum

from pydantic import Field

from transfer import ObjectSettings


class Use(StrEnum):
    """What is asked of a face."""

    IDENTIFICATION = "identification"
    VERIFICATION = "verification"


class Settings(ObjectSettings):
    """What is asked of faces, how they are aligned, and their views."""

    use: Use = Use.IDENTIFICATION
    """identification: who of a closed set it is; everyone is in train, val and test. verification:
    whether two pictures are of one person, people never seen included; the split is over people,
    and the network that comes of it can enrol others."""
    align: bool = True
    """Turn, scale and shift faces so that their five landmarks lie where ArcFace has them, where
    the data give those; 112 x 112 px."""
    enrolled: int = Field(default=1, ge=1)
    """Pictures that a person is enrolled by in the searches that are scored; one is the hardest."""
    flip: bool = True
    """Mirror half of the pictures left to right."""
    light: float = Field(default=0.2, ge=0, le=0.5)
    """How far brightness and contrast move, as a share; colours stay what they are."""
    blur: float = Field(default=0.1, ge=0, le=1)
    """Share of the views that are blurred a little, as by a camera out of focus."""
    rotate: float = Field(default=10, ge=0, le=30)
    """Most degrees by which a face is turned in the plane: heads tilt, and landmarks miss."""
    shift: float = Field(default=0.05, ge=0, le=0.3)
    """Most of the side by which a face is shifted, and of its size by which it grows or shrinks:
    detectors crop now tighter, now wider."""

"""What a user of medical pictures can set: what is looked for, whose pictures, and the views."""

import re
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from transfer import TargetKind, TaskSettings


class Settings(TaskSettings):
    """What is looked for, whose pictures they are, how it is judged, and the views."""

    target: TargetKind = TargetKind.SINGLE_LABEL
    """single_label: one of several classes. multi_label: any number of findings, none included (a
    table). ordinal: a grade, one of several in order."""
    grades: tuple[str, ...] = ()
    """Names of the grades of an ordinal target, lowest first; none sorts them by their number."""
    labels: tuple[str, ...] = ()
    """Columns of a table that are labels of a multi label target, 0 or 1 in each row; none takes
    the column label (a|b), or without one every column but image, group and split."""
    finding: tuple[str, ...] = ()
    """The class that is the finding, or several that count as one (melanoma,carcinoma); of grades
    the lowest that counts. None takes, of two classes, the one that is not called normal or the
    like; of grades all above the lowest; of more classes, each against the rest."""
    patient_column: str = ""
    """Column of a table that names the patient; none takes `group`, or one called patient_id or
    the like."""
    patient_pattern: str = ""
    """Regular expression that finds the patient in the path of a picture, as the group patient:
    (?P<patient>person\\d+)_ in person123_virus_45.jpeg."""
    at_specificity: float = Field(default=0.9, gt=0, lt=1)
    """Specificity of the first operating point: so many of those without the finding are not
    told that they have it."""
    at_sensitivity: float = Field(default=0.95, gt=0, lt=1)
    """Sensitivity of the second operating point: so many of those with the finding are told; a
    finding that is missed costs more than one that is looked at again."""
    prevalence: float | None = Field(default=None, gt=0, lt=1)
    """Share of people with the finding where the network is to be used, for PPV and NPV; unset
    takes the share among the rows that are judged, which is seldom that of a clinic."""
    flip: bool = False
    """Mirror half of the pictures left to right. Not for chests: the heart has a side, and so has
    the letter on a film."""
    rotation: float = Field(default=7, ge=0, le=180)
    """Most degrees that a picture is turned by, either way; as far as patients lean."""
    scale: float = Field(default=0.1, ge=0, lt=1)
    """How far the size of a patient in the picture changes, as a share."""
    contrast: float = Field(default=0.2, ge=0, le=0.5)
    """How far contrast and brightness move, as a share: exposure differs from film to film."""

    @field_validator("grades", "labels", "finding", mode="before")
    @classmethod
    def _separate(cls, names: Any) -> Any:
        return tuple(map(str.strip, names.split(","))) if isinstance(names, str) else names

    @field_validator("target")
    @classmethod
    def _refuse_identities(cls, target: TargetKind) -> TargetKind:
        if target is TargetKind.IDENTITY:
            raise ValueError("who a patient is, is nothing to be learned; take a kind of finding")
        return target

    @field_validator("patient_pattern")
    @classmethod
    def _check_pattern(cls, pattern: str) -> str:
        try:
            named = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        if pattern and "patient" not in named:
            raise ValueError(f"{pattern!r} has no group (?P<patient>...) around the patient's name")
        return pattern

    @model_validator(mode="after")
    def _take_patients_from_one_place(self) -> Self:
        if self.patient_column and self.patient_pattern:
            raise ValueError("patient_column and patient_pattern both name the patient; give one")
        return self

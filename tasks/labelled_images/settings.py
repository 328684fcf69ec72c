"""What a user of labelled pictures can set: what a label means, which objects, and the views."""

from pydantic import Field

from transfer import ObjectSettings, TargetKind


class Settings(ObjectSettings):
    """What a label means, and the views of a picture."""

    target: TargetKind = TargetKind.SINGLE_LABEL
    """single_label: one of several classes. multi_label: any number of labels, none included
    (a table). ordinal: a grade, one of several in order. identity: who or what it is a picture of,
    judged by comparing pictures."""
    grades: tuple[str, ...] = ()
    """Names of the grades of an ordinal target, lowest first; none sorts them by their number."""
    labels: tuple[str, ...] = ()
    """Columns of a table that are labels of a multi label target, 0 or 1 in each row; none takes
    the column label (a|b), or without one every column but image, group and split."""
    flip: bool = True
    """Mirror half of the pictures left to right; not for writing, or where the side matters."""
    crop: float = Field(default=0.6, gt=0, le=1)
    """Smallest share of a picture's area that a view shows; 1 shows all of it."""
    light: float = Field(default=0.2, ge=0, le=0.5)
    """How far brightness and contrast move, as a share."""

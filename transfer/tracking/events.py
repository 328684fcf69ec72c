"""What a run says, one line of JSON each."""

import time
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from transfer.errors import StoreError
from transfer.tracking.tracker import DataInput, RunDescription, Status


def now() -> int:
    """Return the time, milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class _Event(BaseModel):
    # A loss that is no number is said as it is; plain JSON would make it null.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    time: int = Field(default_factory=now)


class Started(_Event):
    """The run begins; `destination` is the store it is meant for."""

    kind: Literal["started"] = "started"
    destination: str
    run: RunDescription


class Tagged(_Event):
    """Tags are added or replaced."""

    kind: Literal["tagged"] = "tagged"
    tags: Mapping[str, str]


class Numbers(_Event):
    """Numbers at a step."""

    kind: Literal["numbers"] = "numbers"
    step: int
    values: Mapping[str, float]


class Read(_Event):
    """The run reads data."""

    kind: Literal["read"] = "read"
    inputs: tuple[DataInput, ...]


class Kept(_Event):
    """A file is kept under `path`; its bytes stand beside the events."""

    kind: Literal["kept"] = "kept"
    path: str


class ModelKept(_Event):
    """The model is kept; its files stand beside the events."""

    kind: Literal["model"] = "model"


class Finished(_Event):
    """The run ends."""

    kind: Literal["finished"] = "finished"
    status: Status


class Reopened(_Event):
    """The run, which had ended, goes on."""

    kind: Literal["reopened"] = "reopened"


Event = Started | Tagged | Numbers | Read | Kept | ModelKept | Finished | Reopened
_LINE: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def to_line(event: Event) -> bytes:
    """Return the event as one line, newline included."""
    return event.model_dump_json().encode() + b"\n"


def from_line(line: bytes) -> Event | None:
    """Return the event of a line, or None where the line was torn by a crash.

    Raises:
        StoreError: the line is whole, and of another version of this framework.
    """
    try:
        return _LINE.validate_json(line)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            return None
        raise StoreError(f"a record says {line[:80]!r}, which this version cannot read") from error

"""What is known of one public data set, as the cards.toml of a task says it."""

import shlex
import tomllib
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path, PureWindowsPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator as Check
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from transfer.errors import BrokenPromiseError

Layout = Literal["class folders", "table", "Parquet", "Pascal VOC", "COCO", "KITTI", "YOLO"]
"""The standard layouts of docs/layouts.md; what else a task reads, it reads from one of these."""


def _below(path: str) -> str:
    # PureWindowsPath takes both slashes, and knows drives.
    place = PureWindowsPath(path)
    if place.anchor or ".." in place.parts:
        raise ValueError("is to lie below the folder of the data set")
    return path


def _one_line(text: str) -> str:
    return " ".join(text.split())


Below = Annotated[str, Check(_below)]
Line = Annotated[str, Field(min_length=1), Check(_one_line)]
Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+/?\S*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(_Closed):
    """One file that a data set is published as.

    Attributes:
        name: of the file on disk.
        megabytes: its size, MB of a million bytes.
        url: where it is; unset where it cannot be had without an account.
        sha256: of its bytes, hexadecimal; unset where nobody has published it.
        md5: likewise, where that is what is published.
        stated_by: who has published the checksum.
        into: folder below that of the data set in which it is unpacked.
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
    megabytes: Annotated[float, Field(gt=0)]
    url: Address | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    stated_by: str = ""
    into: Below = ""

    @property
    def checksum(self) -> tuple[str, str] | None:
        """The algorithm and the digest that the file is to have, the stronger where both are."""
        if self.sha256:
            return "sha256", self.sha256
        return ("md5", self.md5) if self.md5 else None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.checksum) != bool(self.stated_by):
            raise ValueError("a checksum and stated_by, who published it, go together")
        if self.url and self.url.startswith("http:") and not self.checksum:
            raise ValueError("without a checksum only https can be trusted")
        return self


class Card(_Closed):
    """A public data set.

    Attributes:
        name: what it is fetched by, and its folder in data/.
        task: that it is for.
        title: its name, for people.
        page: where its publishers describe it.
        files: that it is published as.
        account: how to get those without an address; "" where there are none.
        licence: in the words of its publishers.
        pictures: how many there are.
        classes: how many there are.
        layout: as docs/layouts.md names it.
        data: what --data takes, below the folder of the data set.
        settings: of the recipe, as --set takes them.
        split: which rows are judged, and what is never divided.
        citation: of the paper.
    """

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    task: str
    title: Line
    page: Address
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    account: str = ""
    licence: Line
    pictures: Annotated[int, Field(gt=0)]
    classes: Annotated[int, Field(gt=1)]
    layout: Layout
    data: Below = ""
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    split: Line
    citation: Line

    @model_validator(mode="after")
    def _check(self) -> Self:
        by_hand = [file.name for file in self.files if file.url is None]
        if bool(by_hand) != bool(self.account):
            raise ValueError(
                "account says how to get the files without a url, and is given where there are any"
            )
        names = [file.name for file in self.files]
        if len({*names}) < len(names):
            raise ValueError(f"two of the files have one name: {', '.join(names)}")
        return self

    @property
    def megabytes(self) -> float:
        """Size of all files, MB."""
        return sum(file.megabytes for file in self.files)

    def fit_line(self, folder: Path) -> str:
        """Return the command that trains on it, unpacked in `folder`."""
        settings = [f"--set {name}={_written(value)}" for name, value in self.settings.items()]
        data = shlex.quote(str(folder / self.data))
        return " ".join([f"transfer fit {self.task} --data {data}", *settings])


def read_cards(file: Path | Traversable, task: str) -> list[Card]:
    """Return the cards of a task, in order.

    Args:
        file: TOML, a table for each card.
        task: whose cards they are.

    Raises:
        BrokenPromiseError: it cannot be read, or keys are missing, unknown or wrong; it names all.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # no UTF-8 and no TOML are ValueErrors
        raise BrokenPromiseError(f"{str(file)!r} cannot be read: {error}") from error
    cards, mistakes = [], []
    for name, table in tables.items():
        try:
            content = table if isinstance(table, dict) else {"": table}
            cards.append(Card.model_validate({**content, "name": name, "task": task}))
        except ValidationError as error:
            mistakes += [
                f"{name}{_key(each['loc'])}: {each['msg']}"
                for each in error.errors(include_url=False)
            ]
    if mistakes:
        raise BrokenPromiseError(f"{str(file)!r} holds mistakes:\n  " + "\n  ".join(mistakes))
    return cards


def _key(place: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def _written(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return shlex.quote(text)

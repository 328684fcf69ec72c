"""What one look at a picture found, and the text that it is remembered by."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Self


class Look(NamedTuple):
    """What was seen in a row.

    Attributes:
        content, pixels: 16 hex digits each for the bytes of the file and for what a reader makes of
            it.
        side_px: the shorter side of that.
        numbers: what the task measures of those pixels, by name.
    """

    content: str
    pixels: str
    side_px: int
    numbers: Mapping[str, float] = MappingProxyType({})

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the look that `str` made a text of."""
        return cls(*json.loads(text))

    def __str__(self) -> str:
        return json.dumps([self.content, self.pixels, self.side_px, dict(self.numbers)])

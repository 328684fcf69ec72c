"""Which of a picture's named bands are red, green and blue."""

from collections.abc import Sequence

# Sentinel-2 calls red, green and blue B4, B3 and B2.
COLOURS = (
    frozenset({"red", "r", "b4", "b04"}),
    frozenset({"green", "g", "b3", "b03"}),
    frozenset({"blue", "b", "b2", "b02"}),
)


def colour_places(bands: Sequence[str]) -> tuple[int, ...] | None:
    """Return where red, green and blue are among named bands; None unless each is there once."""
    return places_of(COLOURS, bands)


def places_of(wanted: Sequence[frozenset[str]], bands: Sequence[str]) -> tuple[int, ...] | None:
    """Return where each of `wanted` is among named bands; None unless each is there once.

    Args:
        wanted: each by the names it goes by, in lower case.
        bands: in the order of the channels.
    """
    here = [band.lower() for band in bands]
    found = [[n for n, band in enumerate(here) if band in names] for names in wanted]
    return tuple(n for (n,) in found) if all(len(ns) == 1 for ns in found) else None

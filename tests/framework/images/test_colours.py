import pytest

from transfer.images.colours import colour_places


@pytest.mark.parametrize(
    ("bands", "places"),
    [
        (("red", "green", "blue"), (0, 1, 2)),
        (("nir", "Blue", "green", "RED"), (3, 2, 1)),
        (("B2", "B3", "B4", "B8"), (2, 1, 0)),
        (("B02", "B04", "B08"), None),  # no green
        (("red", "B4", "green", "blue"), None),  # red twice
        ((), None),
    ],
)
def test_colours_are_found_among_named_bands(
    bands: tuple[str, ...], places: tuple[int, ...] | None
) -> None:
    assert colour_places(bands) == places

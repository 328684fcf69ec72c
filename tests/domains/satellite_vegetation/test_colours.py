from itertools import combinations

import pytest

from tasks.satellite_vegetation.colours import colours_of
from tasks.satellite_vegetation.landcover import DRAW


@pytest.mark.parametrize("classes", [list(DRAW), [f"class {number}" for number in range(20)]])
def test_classes_can_be_told_apart(classes: list[str]) -> None:
    colours = colours_of(classes)
    assert len(colours) == len(classes)
    for one, other in combinations(colours, 2):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 30
    assert all(0 <= part <= 255 for colour in colours for part in colour)


def test_many_classes_have_colours() -> None:
    assert len(set(colours_of([str(number) for number in range(255)]))) > 200

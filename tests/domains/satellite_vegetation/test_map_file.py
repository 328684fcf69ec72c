from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.satellite_vegetation.blending import Grid
from tasks.satellite_vegetation.colours import colours_of
from tasks.satellite_vegetation.mapping import Piece
from transfer.errors import OutputError

rasterio = pytest.importorskip("rasterio", reason="pip install 'resnet-transfer[satellite]'")

from rasterio.transform import from_origin  # noqa: E402

from tasks.satellite_vegetation.map_file import write_map  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:Dataset has no geotransform"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul"),
]
CLASSES = ("Forest", "River", "Pasture")
GRID = Grid(100, 84, 16, 8, 8)  # 13 x 11 cells, of which the last row and column are halves
PLACE = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_400_000, 10, 10)}


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    def opened(**place: object) -> Any:
        size = {"count": 1, "height": GRID.height, "width": GRID.width, "dtype": "uint8"}
        with rasterio.open(tmp_path / "scene.tif", "w", driver="GTiff", **size, **place) as file:
            file.write(np.zeros((1, GRID.height, GRID.width), np.uint8))
        return rasterio.open(tmp_path / "scene.tif")

    return opened


def pieces() -> list[Piece]:
    """Return an upper part of class 2 with a hole, and a lower part of class 1."""
    upper = np.full((8, 11), 2, np.uint8)
    upper[3, 4] = 0
    lower = np.full((5, 11), 1, np.uint8)
    return [
        Piece(8, 0, lower, np.full(lower.shape, 55, np.uint8)),
        Piece(0, 0, upper, np.where(upper > 0, 77, 0).astype(np.uint8)),
    ]


def test_a_map_says_where_it_lies_and_what_its_numbers_mean(tmp_path: Path, scene: Any) -> None:
    out = tmp_path / "map é.tif"
    with write_map(out, scene(**PLACE), GRID, CLASSES, {"RUN": "mine"}) as result:
        for piece in pieces():
            result.add(piece)
        assert not out.exists()
    with rasterio.open(out) as file:
        assert (file.count, file.height, file.width) == (2, 13, 11)
        assert file.dtypes == ("uint8", "uint8")
        assert file.crs.to_epsg() == 32632
        assert file.transform.almost_equals(from_origin(500_000, 5_400_000, 80, 80))
        assert file.nodata == 0
        assert file.profile["tiled"]
        assert file.compression.value == "DEFLATE"
        classes, confidence = file.read()
        assert (classes[8:] == 1).all()
        assert (classes[3, 4], confidence[3, 4]) == (0, 0)
        assert {*np.unique(confidence)} == {0, 55, 77}
        assert file.descriptions == ("class", "confidence")
        assert file.units[1] == "%"
        assert file.tags()["RUN"] == "mine"
        assert [file.tags(1)[f"CLASS_{n}"] for n in (1, 2, 3)] == list(CLASSES)
        table = file.colormap(1)
        assert [table[n] for n in (1, 2, 3)] == [(*colour, 255) for colour in colours_of(CLASSES)]
        assert table[0][3] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "map é.png", "map é.tif", "scene.tif",
    ]  # fmt: skip


def test_what_classes_cover_is_counted_to_the_edge_of_the_scene(tmp_path: Path, scene: Any) -> None:
    for place, unit in ((PLACE, 100 / 0.9996**2), ({}, 1)):  # m2 of a px; px where it lies nowhere
        with write_map(tmp_path / "map.tif", scene(**place), GRID, CLASSES, {}) as result:
            for piece in pieces():
                result.add(piece)
        assert (result.areas is None) == (place == {})
        px = [64, (100 - 64) * 84, 64 * 84 - 64, 0]
        assert result.covered[:4] == pytest.approx(np.array(px) * unit, rel=1e-4)


def test_the_picture_shows_the_classes_in_their_colours(tmp_path: Path, scene: Any) -> None:
    with write_map(tmp_path / "map.tif", scene(**PLACE), GRID, CLASSES, {}) as result:
        for piece in pieces():
            result.add(piece)
    picture = np.asarray(Image.open(tmp_path / "map.png"))
    side = 400 // 13  # px of a cell: a map of few cells is shown larger
    forest, river, pasture = ([*colour, 255] for colour in colours_of(CLASSES))
    assert picture[10 * side, 5 * side].tolist() == forest
    assert picture[0, 0].tolist() == river
    assert (picture[3 * side : 4 * side, 4 * side : 5 * side, 3] == 0).all()
    legend = picture[:, 11 * side :].reshape(-1, 4).tolist()
    assert all(colour in legend for colour in (forest, river, pasture))


def test_what_is_broken_off_leaves_the_old_map_and_no_part(tmp_path: Path, scene: Any) -> None:
    out = tmp_path / "map.tif"
    out.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(out, scene(**PLACE))
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.tif", "scene.tif"]


def _interrupted(out: Path, scene: Any) -> None:
    with write_map(out, scene, GRID, CLASSES, {}) as result:
        result.add(pieces()[0])
        raise KeyboardInterrupt


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path, scene: Any) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write .*nowhere/map\.tif"),
        write_map(tmp_path / "nowhere" / "map.tif", scene(**PLACE), GRID, CLASSES, {}),
    ):
        pass

"""`transfer map`, with a network that is none."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.satellite_vegetation.commands import map_scene
from tasks.satellite_vegetation.settings import Settings
from transfer import Recipe
from transfer.errors import BrokenPromiseError, ImageError, OutputError, RecipeError

rasterio = pytest.importorskip("rasterio", reason="pip install 'resnet-transfer[satellite]'")

from rasterio.transform import from_origin  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:Dataset has no geotransform"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul"),
]
BANDS = ("B4", "B8A")


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say "plants" where B8A is brighter than B4, "bare" elsewhere, both with 0.8."""

    def predict_arrays(pictures: list[np.ndarray]) -> np.ndarray:
        assert {(pixels.dtype, pixels.shape) for pixels in pictures} <= {
            (np.dtype(np.float32), (16, 16, 2))
        }
        green = [pixels[..., 1].mean() > pixels[..., 0].mean() for pixels in pictures]
        said = [[0.2, 0.8] if plants else [0.8, 0.2] for plants in green]
        return np.array(said, np.float32).reshape(-1, 2)

    fake = SimpleNamespace(
        task="satellite_vegetation",
        target="single_label",
        classes=("bare", "plants"),
        recipe=Recipe(bands=BANDS, no_data=0, task=Settings()),
        side_px=16,
        network=SimpleNamespace(
            normalization=SimpleNamespace(mean=(0.2, 0.3), std=(0.05, 0.1)),
        ),
        predict_arrays=predict_arrays,
    )
    monkeypatch.setattr("transfer.shipping.predictor.load", lambda *_, **__: fake)
    return fake


@pytest.fixture
def write_scene(tmp_path: Path) -> Callable[..., Path]:
    """Write 96 x 160 px: bare to the left, plants to the right, nothing in the last 32 rows."""

    def write(worth: int = 10_000, *, placed: bool = True, named: bool = True) -> Path:
        stored = np.full((3, 96, 160), 0.2 * worth, np.uint16)
        stored[2, :, :80], stored[2, :, 80:] = 0.1 * worth, 0.4 * worth
        stored[:, 64:] = 0
        place = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_400_000, 10, 10)}
        with rasterio.open(
            tmp_path / "scene.tif", "w", driver="GTiff", count=3, height=96, width=160,
            dtype="uint16", **(place if placed else {}),
        ) as file:  # fmt: skip
            file.write(stored)
            if named:
                file.descriptions = ("B2", *BANDS)
        return tmp_path / "scene.tif"

    return write


def typed(*arguments: object) -> None:
    map_scene(list(map(str, arguments)))


@pytest.mark.usefixtures("predictor")
def test_a_scene_becomes_a_map(
    write_scene: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map.tif"
    typed("my run", write_scene(), out)
    with rasterio.open(out) as file:
        classes, confidence = file.read()
        assert file.transform.a == 80
        assert (file.tags()["RUN"], file.tags()["WINDOW_PX"]) == ("my run", "16")
    assert classes.shape == (12, 20)
    assert (classes[:8, :9] == 1).all()
    assert (classes[:8, 11:] == 2).all()
    assert (classes[8:] == 0).all()
    assert (confidence[:8, :9] == 80).all()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "scene 160 x 96 px, EPSG:32632, B4, B8A"
    assert lines[1].startswith("windows 209 of 16 px, each 8 px: about 0 s at ")
    assert lines[2] == "map 20 x 12 px of 8 px of the scene"
    assert lines[3] == "class km2 of the map"
    assert lines[4] == "bare 0.51 50.0%"  # 80 x 64 px of 100 m2
    assert lines[5] == "plants 0.51 50.0%"
    assert lines[6] == "no data 33.3% of the scene"
    assert lines[7] == f"wrote {out}: band 1 class (0 no data), band 2 confidence in percent"
    assert (tmp_path / "map.png").exists()


@pytest.mark.usefixtures("predictor")
def test_a_pixel_for_each_of_the_scene_and_no_areas_without_a_place(
    write_scene: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, out = write_scene(placed=False, named=False), tmp_path / "map.tif"
    typed(
        "r", scene, out, "--resolution", "scene", "--stride", "4", "--bands", "B2, B4,B8A",
    )  # fmt: skip
    with rasterio.open(out) as file:
        assert file.shape == (96, 160)
        assert file.crs is None
        assert (file.read(1)[:64, :72] == 1).all()
    said = capsys.readouterr().out
    assert "without coordinates" in said
    assert "the scene says not where it lies: there are shares, and no areas" in said
    assert "km2" not in said


@pytest.mark.usefixtures("predictor")
def test_bands_far_from_the_chips_are_said(
    write_scene: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("r", write_scene(20_000), tmp_path / "map.tif")
    said = capsys.readouterr().err
    assert "B4 is 0.400 on average, in the run's chips 0.200 +- 0.050: another scaling" in said
    assert "B8A" not in said


@pytest.mark.usefixtures("predictor")
def test_a_scene_of_another_scale_or_without_bands_is_refused(
    write_scene: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ImageError, match="set what a stored 1 is worth"):
        typed("r", write_scene(140_000), tmp_path / "map.tif")
    with pytest.raises(ImageError, match="has no band B4, B8A; its 3 bands are"):
        typed("r", write_scene(named=False), tmp_path / "map.tif")
    with pytest.raises(RecipeError, match="less than a window of 100 px"):
        typed("r", write_scene(), tmp_path / "map.tif", "--window", 100)
    assert not (tmp_path / "map.tif").exists()


def test_a_scene_without_any_data_is_refused(
    predictor: Any, tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    with rasterio.open(write_scene(), "r+") as file:
        file.write(np.zeros((3, 96, 160), np.uint16))
    with pytest.raises(ImageError, match="holds no data in any of 64 places"):
        typed("r", tmp_path / "scene.tif", tmp_path / "map.tif")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (
            {"task": "faces"},
            BrokenPromiseError,
            "runs of satellite_vegetation; this one is of faces",
        ),
        ({"target": "multi_label"}, BrokenPromiseError, "one class a place; the run says multi_"),
        ({"side_px": None}, RecipeError, "did not note how large its chips were; say it: --window"),
    ],
)
def test_a_run_that_can_draw_no_map_is_refused(
    predictor: Any, write_scene: Callable[..., Path], tmp_path: Path,
    change: dict[str, object], error: type[Exception], said: str,
) -> None:  # fmt: skip
    predictor.__dict__.update(change)
    with pytest.raises(error, match=said):
        typed("r", write_scene(), tmp_path / "map.tif")


def test_names_are_checked_before_a_network_is_loaded(tmp_path: Path) -> None:
    scene = tmp_path / "scene.tif"
    for out, said in (
        (tmp_path / "map.png", "a map is a GeoTIFF; call it map.tif"),
        (scene, "is the scene itself"),
        (tmp_path / "nowhere" / "map.tif", "there is no folder"),
    ):
        with pytest.raises(OutputError, match=said):
            typed("r", scene, out)

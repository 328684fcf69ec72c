from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.satellite_vegetation import adapter
from tasks.satellite_vegetation.adapter import read_manifest
from tasks.satellite_vegetation.bands import read_named_bands
from tasks.satellite_vegetation.settings import Settings
from tasks.satellite_vegetation.task import TASK
from transfer import Row, fit, load
from transfer.errors import ManifestError, RecipeError
from transfer.images.crop import Box
from transfer.overlay import Layer, settle

rasterio = pytest.importorskip("rasterio", reason="pip install 'resnet-transfer[satellite]'")

from rasterio.transform import from_origin  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
BANDS = ("B2", "B3", "B4", "B8A")
NDVI = Settings(indices=("ndvi=(B8A-B4)/(B8A+B4)",))


def write_chip(
    path: Path, stored: np.ndarray, east_m: float | None = None, names: Sequence[str] = ()
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = stored.shape
    place = {}
    if east_m is not None:
        place = {"crs": "EPSG:32721", "transform": from_origin(352_480 + east_m, 6_176_340, 10, 10)}
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=stored.dtype,
        **place,
    ) as file:  # fmt: skip
        file.write(stored)
        if names:
            file.descriptions = tuple(names)


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    """Forty chips of two land covers, which differ in the near infrared alone, 320 m apart."""
    rng = np.random.default_rng(0)
    for number in range(40):
        stored = rng.integers(500, 900, (4, 32, 32), dtype=np.uint16)
        stored[3] += 3000 * (number % 2)
        label = ("bare", "grass")[number % 2]
        write_chip(tmp_path / "land" / label / f"{number}.tif", stored, east_m=320 * number)
    return tmp_path / "land"


def test_bands_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    stored = np.arange(4 * 6, dtype=np.uint16).reshape(4, 2, 3) * 100
    path = tmp_path / "chip.tif"
    write_chip(path, stored, names=BANDS)
    pixels = read_named_bands(Row(path), ("B8A", "B2"), Settings())
    assert np.allclose(pixels, np.dstack([stored[3], stored[0]]) / 10_000)
    unnamed = tmp_path / "unnamed.tif"
    write_chip(unnamed, stored)
    settings = Settings(file_bands=BANDS, scale=1e-5)
    pixels = read_named_bands(Row(unnamed), ("B8A", "B2"), settings)
    assert np.allclose(pixels, np.dstack([stored[3], stored[0]]) / 100_000)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint8])
def test_an_index_is_a_band_where_it_is_named(tmp_path: Path, dtype: type) -> None:
    stored = np.random.default_rng(0).integers(1, 250, (4, 2, 3)).astype(dtype)
    stored[:, 0, 0] = 0
    path = tmp_path / "chip.tif"
    write_chip(path, stored)
    settings = Settings(indices=NDVI.indices, file_bands=BANDS)
    pixels = read_named_bands(Row(path), ("B2", "ndvi", "B4"), settings)
    assert pixels.dtype == np.float32
    unit = 255 if dtype is np.uint8 else 10_000
    assert np.allclose(pixels[:, :, 0], stored[0] / unit, atol=1e-6)
    assert np.allclose(pixels[:, :, 2], stored[2] / unit, atol=1e-6)
    red, nir = (stored[number].astype(float) for number in (2, 3))
    expected = ((nir - red) / np.where(nir + red == 0, 1, nir + red) + 1) / 2
    expected[0, 0] = 0  # where there is no data there is no index
    assert np.allclose(pixels[:, :, 1], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        ("B2,B4", "which is none of the bands B2, B4; .*: --set bands=B2,B4,ndvi"),
        ((), "none of the bands of a picture in colours; .*: --set bands=B4,B8A,ndvi"),
    ],
)
def test_an_index_that_no_band_is_called_by_is_refused_before_anything_is_read(
    tmp_path: Path, bands: object, said: str
) -> None:
    settings = {"bands": bands, "task": {"indices": NDVI.indices}, "weights": "none"}
    with pytest.raises(RecipeError, match=said):
        fit("satellite_vegetation", tmp_path / "nothing", settings=settings, out=tmp_path / "runs")


def test_a_box_is_cut_out_of_the_bands_as_well(tmp_path: Path) -> None:
    stored = np.arange(4 * 48, dtype=np.uint16).reshape(4, 6, 8) * 10
    write_chip(tmp_path / "frame.tif", stored)
    row = Row(tmp_path / "frame.tif", box=Box(2, 1, 5, 5))
    pixels = read_named_bands(row, BANDS, Settings())
    assert np.allclose(pixels, stored.transpose(1, 2, 0)[1:5, 2:5] / 10_000)


def test_a_formula_is_checked_before_anything_is_read() -> None:
    with pytest.raises(RecipeError, match="abs"):
        settle(TASK.defaults(), [Layer("--set", {"task": {"indices": "x=abs(B4)"}})])
    recipe = settle(TASK.defaults(), [Layer("--set", {"task": {"indices": "a=B4, b=B2/B4"}})])
    assert recipe.recipe.task == Settings(indices=("a=B4", "b=B2/B4"))


def test_other_files_are_read_as_colours(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "chip.png")
    pixels = read_named_bands(Row(tmp_path / "chip.png"), ("red", "green", "blue"), Settings())
    assert pixels[0, 0].tolist() == [255, 0, 0]


def test_neighbours_are_one_group(chips: Path) -> None:
    rows = read_manifest(chips, Settings(block_m=3200)).rows
    number = rows["image"].str.extract(r"/(\d+)\.tif")[0].astype(int)
    blocks = rows["group"].groupby(rows["group"]).agg(len)
    assert blocks.sum() == 40
    assert blocks.max() <= 11  # 3,200 m hold ten chips, and one on the edge
    assert len(blocks) in {4, 5, 6}
    for _, inside in number.groupby(rows["group"]):
        assert inside.max() - inside.min() == len(inside) - 1


def test_block_0_takes_each_chip_for_itself(chips: Path) -> None:
    assert set(read_manifest(chips, Settings(block_m=0)).rows["group"]) == {""}


def test_groups_of_a_table_count_more_than_squares(chips: Path) -> None:
    lines = [
        f"{label}/{n}.tif,{label},g{n}" for n in range(4) for label in [("bare", "grass")[n % 2]]
    ]
    table = chips / "table.csv"
    table.write_text("\n".join(["image,label,group", *lines]))
    assert read_manifest(table, Settings()).rows["group"].tolist() == ["g0", "g1", "g2", "g3"]


def test_chips_without_a_place_stand_alone(tmp_path: Path) -> None:
    for label in ("bare", "grass"):
        write_chip(tmp_path / label / "1.tif", np.ones((4, 8, 8), np.uint16))
    assert set(read_manifest(tmp_path, Settings()).rows["group"]) == {""}


def test_without_rasterio_a_note_says_what_is_missed(
    chips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "find_spec", lambda name: None)
    manifest = read_manifest(chips, Settings())
    assert set(manifest.rows["group"]) == {""}
    assert "pip install 'resnet-transfer[satellite]'" in manifest.notes[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("own_caches")
def test_a_run_learns_from_bands_and_predicts_new_files(chips: Path, tmp_path: Path) -> None:
    settings = {
        "bands": BANDS, "stem": "mean", "strategy": "probe", "size": 32, "weights": "starter",
        "split": {"val": 0.3, "test": 0.3}, "task": {"block_m": 1000},
    }  # fmt: skip
    result = fit("satellite_vegetation", chips, settings=settings, out=tmp_path / "runs")
    assert result.test["balanced_accuracy"] == 1.0
    predictor = load(result.run_id, store=tmp_path / "runs")
    table = predictor.predict([chips / "bare" / "0.tif", chips / "grass" / "1.tif"])
    assert table["prediction"].tolist() == ["bare", "grass"]


@pytest.mark.usefixtures("own_caches")
def test_a_wrong_band_is_answered_before_training(chips: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"has no band B9; its 4 bands are: 1, 2, 3, 4"):
        fit("satellite_vegetation", chips, settings={"bands": ("B9",)}, out=tmp_path / "runs")

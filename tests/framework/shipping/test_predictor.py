from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from transfer.errors import BrokenPromiseError, ImageError, StoreError
from transfer.images.framing import frame
from transfer.images.pictures import read_picture
from transfer.network.backbone import Design, Network, Normalization, build_network
from transfer.plugin.discovery import load_task
from transfer.plugin.task import Task
from transfer.samples.manifest import Row
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings
from transfer.shipping.model_files import ModelCard, write_model
from transfer.shipping.predictor import Predictor

MakeCard = Callable[..., ModelCard]
COLUMNS = ["image", "prediction", "probability", "p_cat", "p_dog", "p_newt", "error"]


@pytest.fixture
def predictor(folder: Path) -> Predictor:
    return Predictor.from_folder(folder)


def by_hand(network: Network, path: Path) -> np.ndarray:
    """Return the probabilities of one picture, step by step."""
    pixels = frame(read_picture(path), 32, "crop")
    scaled = pixels / 255 if pixels.dtype == np.uint8 else pixels
    normalized = (scaled - network.normalization.mean) / network.normalization.std
    with torch.inference_mode():
        features = network.backbone(torch.tensor(normalized.transpose(2, 0, 1)[None]).float())
        return network.head(features)[0].softmax(dim=0).numpy()


def test_a_round_trip_through_a_folder_gives_the_same_probabilities(
    predictor: Predictor, network: Network, files: list[Path]
) -> None:
    table = predictor.predict(files)
    expected = np.array([by_hand(network, path) for path in files])
    assert list(table.columns) == COLUMNS
    assert np.abs(table[COLUMNS[3:6]].to_numpy() - expected).max() < 1e-6
    assert table["prediction"].tolist() == [
        predictor.classes[number] for number in expected.argmax(axis=1)
    ]
    assert np.array_equal(table["probability"], table[COLUMNS[3:6]].max(axis=1))
    assert table["image"].tolist() == [str(path) for path in files]
    assert table["error"].tolist() == [""] * len(files)
    assert len(set(expected[:, 0].round(4))) == len(files)  # it does tell them apart


def test_what_surrounds_the_network_comes_back(
    predictor: Predictor, network: Network, make_card: MakeCard
) -> None:
    assert predictor.classes == ("cat", "dog", "newt")
    assert predictor.task == "labelled_images"
    assert predictor.recipe.model_dump(mode="json") == make_card().recipe
    assert predictor.side_px is None
    assert predictor.network.normalization == network.normalization
    assert not any(module.training for module in predictor.network.modules())


def test_paths_bytes_and_arrays_agree(predictor: Predictor, files: list[Path]) -> None:
    of_paths = predictor.predict(files)
    of_rows = predictor.predict([Row(path) for path in files])
    of_bytes = predictor.predict_bytes([path.read_bytes() for path in files])
    of_arrays = predictor.predict_arrays([read_picture(path) for path in files])
    assert of_arrays.dtype == np.float32
    assert of_rows.equals(of_paths)
    assert of_bytes["image"].tolist() == [f"image {number}" for number in range(len(files))]
    assert of_bytes.drop(columns="image").equals(of_paths.drop(columns="image"))
    assert np.array_equal(of_arrays, of_paths[COLUMNS[3:6]].to_numpy())


def test_names_may_be_text(predictor: Predictor, files: list[Path]) -> None:
    assert predictor.predict([str(path) for path in files]).equals(predictor.predict(files))


def test_an_answer_does_not_depend_on_its_neighbours(
    predictor: Predictor, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = predictor.predict(files)[COLUMNS[3:6]].to_numpy()
    alone = [predictor.predict([path])[COLUMNS[3:6]].to_numpy()[0] for path in files]
    monkeypatch.setattr("transfer.shipping.predictor.BATCH_SIZE", 2)
    pairs = predictor.predict(files)[COLUMNS[3:6]].to_numpy()
    assert np.abs(together - alone).max() < 1e-6
    assert np.abs(together - pairs).max() < 1e-6
    arrays = [read_picture(path) for path in files]
    assert np.abs(predictor.predict_arrays(arrays) - together).max() < 1e-6
    assert predictor.embed(arrays).shape[0] == len(files)


def test_a_corrupt_file_becomes_a_row_with_its_error(
    predictor: Predictor, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "cut.png").write_bytes(files[0].read_bytes()[:60])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    broken = [tmp_path / name for name in ("cut.png", "empty.jpg", "text.png", "gone.png")]
    mixed = [files[0], *broken, files[1]]
    table = predictor.predict([*mixed, tmp_path])
    readable = [0, len(mixed) - 1]
    expected = predictor.predict(files[:2])
    assert table.loc[readable, COLUMNS[1:6]].reset_index(drop=True).equals(expected[COLUMNS[1:6]])
    unreadable = table.drop(index=readable)
    assert unreadable[["prediction", "probability", "p_cat", "p_newt"]].isna().all(axis=None)
    for name, error in zip(unreadable["image"], unreadable["error"], strict=True):
        assert Path(name).name in error


def test_where_nothing_can_be_read_every_row_says_why(predictor: Predictor) -> None:
    table = predictor.predict_bytes([b"", b"no picture"])
    assert list(table.columns) == COLUMNS
    assert table["prediction"].isna().all()
    assert "is empty" in table["error"][0]
    assert "is no picture" in table["error"][1]


def test_nothing_asked_is_nothing_answered(predictor: Predictor) -> None:
    for table in (predictor.predict([]), predictor.predict_bytes([])):
        assert list(table.columns) == COLUMNS
        assert len(table) == 0
    assert predictor.predict_arrays([]).shape == (0, 3)
    assert predictor.embed([]).shape == (0, predictor.network.head.in_features)


def test_embeddings_are_what_the_head_reads(predictor: Predictor, files: list[Path]) -> None:
    pictures = [read_picture(path) for path in files]
    embedded = predictor.embed(pictures)
    assert embedded.shape == (len(files), predictor.network.head.in_features)
    assert embedded.dtype == np.float32
    with torch.inference_mode():
        said = predictor.network.head(torch.from_numpy(embedded)).softmax(dim=1).numpy()
    assert np.abs(said - predictor.predict_arrays(pictures)).max() < 1e-6


def test_classes_named_like_columns_do_no_harm(
    tmp_path: Path, network: Network, make_card: MakeCard, files: list[Path]
) -> None:
    classes = ("error", "image", "prediction")
    write_model(tmp_path / "named", network, make_card(classes=classes))
    table = Predictor.from_folder(tmp_path / "named").predict(files)
    assert list(table.columns) == [
        *("image", "prediction", "probability"),
        *("p_error", "p_image", "p_prediction", "error"),
    ]
    assert table["image"].tolist() == [str(path) for path in files]
    assert set(table["prediction"]) <= set(classes)
    assert table["error"].tolist() == [""] * len(files)
    expected = np.array([by_hand(network, path) for path in files])
    assert np.allclose(table[["p_error", "p_image", "p_prediction"]], expected, atol=1e-6)


def test_a_damaged_or_foreign_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("no model")
    for place in (tmp_path / "foreign", tmp_path / "gone"):
        with pytest.raises(StoreError, match="no model of this framework"):
            Predictor.from_folder(place)
    weights = folder / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(StoreError, match="cannot be read"):
        Predictor.from_folder(folder)
    weights.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        Predictor.from_folder(folder)


def test_weights_of_another_network_are_refused(folder: Path, make_card: MakeCard) -> None:
    write_model(folder, build_network("test_resnet", 4), make_card())
    with pytest.raises(StoreError, match="do not fit"):
        Predictor.from_folder(folder)


@pytest.mark.parametrize(
    ("kind", "target"),
    [("residual-mlp", "single_label"), ("cosine", "single_label"), ("auto", "ordinal")],
)
def test_a_model_with_another_head_is_rebuilt_exactly(
    tmp_path: Path, make_card: MakeCard, kind: str, target: str
) -> None:
    torch.manual_seed(0)
    head = HeadSettings(kind=kind, hidden=7, scale=11.0)
    numbers = Normalization(make_card().mean, make_card().std)
    design = Design(TargetKind(target), head, stages=2)
    made = build_network("test_resnet", 3, numbers, design).eval()
    for weight in made.head.parameters():
        torch.nn.init.normal_(weight)
    card = make_card(head={**head.model_dump(mode="json"), "stages": 2}, target=target)
    write_model(tmp_path / "model", made, card)
    loaded = Predictor.from_folder(tmp_path / "model")
    pixels = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded.network(pixels), made(pixels))


def test_a_task_that_is_gone_is_missed_only_where_it_reads_in_its_own_way(
    tmp_path: Path, network: Network, make_card: MakeCard, files: list[Path]
) -> None:
    write_model(tmp_path / "plain", network, make_card(task="gone"))
    table = Predictor.from_folder(tmp_path / "plain").predict(files)
    assert np.allclose(table["p_cat"][0], by_hand(network, files[0])[0], atol=1e-6)
    write_model(tmp_path / "own", network, make_card(task="gone", own_reader=True))
    with pytest.raises(BrokenPromiseError, match="'gone', which reads its own file type; install"):
        Predictor.from_folder(tmp_path / "own")


def test_files_are_read_as_the_task_reads_them(
    folder: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load_task("labelled_images")
    upside_down = Task(
        name="labelled_images",
        summary="of a test",
        read_manifest=plain.read_manifest,
        augment=plain.augment,
        settings=plain.settings,
        read_image=lambda row, _: read_picture(row.path)[::-1].copy(),
    )
    monkeypatch.setattr("transfer.shipping.restoring.load_task", lambda _: upside_down)
    predictor = Predictor.from_folder(folder)
    turned = [read_picture(path)[::-1].copy() for path in files]
    said = predictor.predict(files)[COLUMNS[3:6]].to_numpy()
    assert np.array_equal(said, predictor.predict_arrays(turned))
    upright = predictor.predict_arrays([read_picture(path) for path in files])
    assert not np.allclose(said, upright, atol=1e-3)


class _OwnTask:
    """Reads pictures upside down, from files alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.suffixes = folder, list[str]()

    def read(self, row: Row) -> np.ndarray:
        self.suffixes.append(row.path.suffix)
        return read_picture(row.path)[::-1]

    def reader(self, settings: object, bands: tuple[str, ...]) -> Callable[[Row], np.ndarray]:
        return self.read


def test_bytes_are_read_as_the_task_reads_files(
    network: Network, make_card: MakeCard, files: list[Path], tmp_path: Path
) -> None:
    own = _OwnTask(tmp_path)
    recipe = load_task("labelled_images").defaults().model_copy(update={"size": 32})
    predictor = Predictor(network, make_card(own_reader=True), recipe, own)
    Image.open(files[0]).save(tmp_path / "as.tif")
    Image.open(files[0]).save(tmp_path / "as.png")
    contents = [(tmp_path / name).read_bytes() for name in ("as.tif", "as.png")]
    table = predictor.predict_bytes(contents)
    upside_down = predictor.predict_arrays([read_picture(files[0])[::-1]])
    assert np.abs(table[COLUMNS[3:6]].to_numpy() - upside_down).max() < 1e-6
    assert own.suffixes == [".tif", ""]


def test_pictures_of_other_bands_are_refused_by_number(
    predictor: Predictor, files: list[Path]
) -> None:
    pictures = [np.zeros((32, 32, bands), np.uint8) for bands in (3, 4)]
    for said in (predictor.predict_arrays, predictor.embed):
        with pytest.raises(ImageError, match="picture 1 has 4 bands; the run takes 3: red, green"):
            said(pictures)
    predictor._read = lambda row: np.zeros((8, 8, 2), np.float32)
    table = predictor.predict(files[:1])
    assert table["error"].tolist() == ["has 2 bands; the run takes 3: red, green, blue"]

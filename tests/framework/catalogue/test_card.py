from pathlib import Path

import pytest

from transfer.catalogue.card import Card, read_cards
from transfer.errors import BrokenPromiseError

CARD = """
[small]
title = "A small set"
page = "https://example.org"
licence = "CC0"
pictures = 4
classes = 2
layout = "class folders"
data = "set"
split = "rows are drawn"
citation = "Nobody 2020"
{more}
[[small.files]]
name = "set.zip"
megabytes = 1500
{file}
"""
URL = 'url = "https://example.org/set.zip"'
SUM = f'sha256 = "{"0" * 64}"\nstated_by = "its publishers"'


def read(folder: Path, text: str) -> list[Card]:
    file = folder / "cards.toml"
    file.write_text(text)
    return read_cards(file, "leaves")


def test_a_card_says_what_is_known(tmp_path: Path) -> None:
    (card,) = read(tmp_path, CARD.format(more="", file=f"{URL}\n{SUM}"))
    assert (card.name, card.task, card.pictures, card.megabytes) == ("small", "leaves", 4, 1500)
    assert card.files[0].checksum == ("sha256", "0" * 64)


@pytest.mark.parametrize(
    ("more", "file", "says"),
    [
        ("titel = 1", f"{URL}", "small.titel: Extra inputs are not permitted"),
        ("", "", "small: Value error, account says how to get the files without a url"),
        ('account = "ask"', URL, "small: Value error, account says how"),
        ("", f'{URL}\nmd5 = "xyz"', "small.files[0].md5: String should match pattern"),
        ("", f'{URL}\nmd5 = "{"0" * 32}"', "small.files[0]: Value error, a checksum and stated_by"),
        ("", 'url = "http://example.org/set.zip"', "small.files[0]: Value error, without a check"),
        ("", 'url = "ftp://example.org/set.zip"', "small.files[0].url: String should match"),
        ("", f'{URL}\ninto = "../x"', "small.files[0].into: Value error, is to lie below"),
        ("", f'{URL}\ninto = "C:\\\\x"', "small.files[0].into: Value error, is to lie below"),
        ("", f'{URL}\nname = "x"', "cannot be read: Cannot overwrite a value"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_and_key(
    tmp_path: Path, more: str, file: str, says: str
) -> None:
    with pytest.raises(BrokenPromiseError) as caught:
        read(tmp_path, CARD.format(more=more, file=file))
    assert f"'{tmp_path / 'cards.toml'}'" in str(caught.value)
    assert says in str(caught.value)


def test_all_mistakes_are_named_together(tmp_path: Path) -> None:
    good = CARD.format(more="", file=URL)
    bad = good.replace("pictures = 4", "pictures = 0").replace("classes = 2\n", "")
    bad = bad.replace('"class folders"', '"heaps"')
    second = good.replace("small", "Other Set".replace(" ", "_"))
    with pytest.raises(BrokenPromiseError) as caught:
        read(tmp_path, f"loose = 3\n{bad}{second}")
    said = str(caught.value)
    for key in ("small.pictures", "small.classes", "small.layout", "Other_Set.name", "loose.title"):
        assert f"\n  {key}: " in said
    assert "'class folders', 'table', 'Parquet', 'Pascal VOC'" in said


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    text = CARD.format(more="", file=URL)
    twice = text[text.index("[[small.files]]") :]
    with pytest.raises(BrokenPromiseError, match="two of the files have one name: set.zip, set.zi"):
        read(tmp_path, text + twice)


def test_the_line_to_type_next_is_quoted(tmp_path: Path) -> None:
    more = (
        'settings = { bands = "B2,B3", "task.flip" = false, "task.crop" = 0.5, "task.x" = "a b" }'
    )
    (card,) = read(tmp_path, CARD.format(more=more, file=URL))
    assert card.fit_line(Path("my data/small")) == (
        "transfer fit leaves --data 'my data/small/set' --set bands=B2,B3 --set task.flip=false "
        "--set task.crop=0.5 --set task.x='a b'"
    )

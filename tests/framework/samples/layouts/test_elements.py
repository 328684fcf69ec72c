from pathlib import Path

import pytest

from transfer.errors import ManifestError
from transfer.samples.layouts.elements import read_elements

# A billion laughs: nine levels of ten would unfold to 3 GB.
BOMB = '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<a>&b;</a>'
FILE = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n<a>&e;</a>'


def test_elements_know_their_text_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a>\n  <b>\n one </b>\n  <b/>\n</a>")
    top = read_elements(tmp_path / "a.xml")
    assert (top.tag, top.line) == ("a", 1)
    assert [(child.text, child.line) for child in top.all("b")] == [("one", 2), ("", 4)]
    with pytest.raises(ManifestError, match="line 1: <a> has 2 <b>, not one"):
        top.child("b")


@pytest.mark.parametrize("text", [BOMB, FILE])
def test_a_document_type_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(ManifestError, match="line [12]: DOCTYPE is refused"):
        read_elements(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a>\n<b></a>", "line 2: mismatched tag"),
        ("", "line 1: no element found"),
        ("<a>\n&none;</a>", "line 2: undefined entity"),
    ],
)
def test_what_is_no_xml_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(ManifestError, match=said):
        read_elements(tmp_path / "a.xml")


def test_elements_may_be_deep(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a>" * 5000 + "</a>" * 5000)
    assert read_elements(tmp_path / "a.xml").tag == "a"

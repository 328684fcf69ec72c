"""The page of a comparison, read as a browser would."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from transfer.comparing.compare import compare_runs
from transfer.comparing.disagreements import MOST, disagreements
from transfer.comparing.gaps import Gap
from transfer.comparing.page import as_page, cells_of
from transfer.progress import Silent

EVIL = "<script>alert(1)</script>\"'&"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a page holds: its tags with attributes, its text, and whether they nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.attributes, self._open = [], "", [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def result(store, stored, answers):
    """Two runs whose names and classes ask for trouble."""
    classes = (EVIL, "dog", "cat")
    for name, seed in ((f"a {EVIL}", 1), ("b", 2)):
        stored(name, {"val": answers(seed, classes=classes)})
    return compare_runs([[f"a {EVIL}"], ["b"]], "val", store, Silent())


def test_a_page_tells_all_and_needs_nothing_else(result):
    rows = disagreements(*result.contenders)
    pair = result.found.pairs[0]
    pictures = {row.key: "data:image/png;base64,AAAA" for row in rows[:2]}

    page = Page(as_page(result.found, [rows], pictures))

    assert pair.verdict in page.text
    assert all(gap.score in page.text for gap in pair.gaps)
    assert all(note in page.text for note in result.found.notes)
    assert f"{len(pair.only_first)} row(s) that only {pair.first} says right" in page.text
    assert page.tags.count("figure") == len(rows)
    assert page.tags.count("img") == 2
    assert "script" not in page.tags
    addresses = [value for name, value in page.attributes if name in {"src", "href"}]
    assert all(address.startswith("data:") for address in addresses)


def test_a_page_follows_the_reader_into_the_dark(result):
    text = as_page(result.found)
    assert "color-scheme: light dark" in text
    assert "prefers-color-scheme: dark" in text


def test_names_from_files_are_never_read_as_html(result):
    rows = disagreements(*result.contenders)
    text = as_page(replace(result.found, notes=(EVIL,), notice=EVIL), [rows])
    assert EVIL not in text
    assert "<script" not in text
    assert EVIL in Page(text).text


def test_rows_come_with_what_each_said_the_surest_mistake_first(result):
    first, second = (contender.answers[0].said for contender in result.contenders)
    rows = disagreements(*result.contenders)
    pair = result.found.pairs[0]
    assert {row.key for row in rows if row.only_first} == set(pair.only_first[:MOST])
    number = {str(key): n for n, key in enumerate(first.keys)}
    errors = []
    for row in rows:
        wrong = second if row.only_first else first
        errors.append((not row.only_first, -wrong.probabilities[number[row.key]].max()))
        says = row.first_says if row.only_first else row.second_says
        label = first.classes[first.targets[number[row.key]]]
        assert says.rpartition(" ")[0] == row.label == label
    assert errors == sorted(errors)


def test_the_table_marks_what_is_better_when_lower():
    cells = cells_of(
        Gap("log_loss", 0.5, 0.45, -0.05, -0.08, -0.02, 0.01, 0.04, lower_is_better=True),
        corrected=True,
    )
    assert cells == [
        "log_loss (lower is better)", "0.5000", "0.4500", "-0.050", "[-0.080, -0.020]", "0.010",
        "0.040", "",
    ]  # fmt: skip
    unknown = cells_of(Gap("ece", 0.5, float("nan"), float("nan"), note="why"), corrected=False)
    assert unknown[2:] == ["", "", "", "", "why"]

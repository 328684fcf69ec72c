"""A comparison as one page of HTML that needs nothing else: dark or light, as the reader has it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import zip_longest

from transfer.comparing.disagreements import MOST, Disagreement
from transfer.comparing.gaps import Gap
from transfer.comparing.result import Comparison, Pair, Side
from transfer.comparing.words import digits_of, p_value, scale_of, unit_of

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #2f3a42; --muted: #5c6870; --line: #dfe4e8;
  --good: #0072b2; --bad: #b34700; }
@media (prefers-color-scheme: dark) { :root { --paper: #14191d; --ink: #dbe2e7; --muted: #95a2ac;
  --line: #313b43; --good: #62b5e5; --bad: #f0965a; } }
body { font: 16px/1.5 system-ui, sans-serif; background: var(--paper); color: var(--ink);
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.verdict { font-size: 1.1rem; border-left: 4px solid var(--good); padding-left: .8rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .3rem .8rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, .text, .noted :last-child { text-align: left; }
.noted td:last-child { white-space: normal; min-width: 18rem; } th { color: var(--muted); }
.muted, li, figcaption { color: var(--muted); font-size: .9rem; }
.rows { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem; }
figure { margin: 0; overflow-wrap: anywhere; } figure img { width: 112px; height: 112px; }
.right { color: var(--good); } .wrong { color: var(--bad); }
summary { cursor: pointer; margin: .6rem 0; }
.drawn { min-width: 36rem; max-width: 100%; border-radius: 6px; }
.mistake { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .8rem;
  padding: .8rem 0; border-bottom: 1px solid var(--line); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 4px solid var(--line);
  padding-left: .8rem; }
"""


def as_page(
    found: Comparison,
    shown: Sequence[Sequence[Disagreement]] = (),
    pictures: Mapping[str, str] | None = None,
) -> str:
    """Return the page; whatever comes from the user's files is escaped.

    Args:
        found: what to tell.
        shown: rows of each pair that only one says right; of no pair leaves them out.
        pictures: `data:` addresses by row key.
    """
    title = f"{' and '.join(side.name for side in found.sides)} on {found.split}"
    about = f"{found.rows:,} {found.split} rows in {found.groups:,} groups"
    parts = [
        page_head(title),
        f"<h1>{escape(title)}</h1>",
        f'<p class="muted">{escape(found.task)}: {about}, by {escape(found.headline)}</p>',
        *(f'<p class="verdict">{escape(pair.verdict)}</p>' for pair in found.pairs),
        "<ul>",
        *(f"<li>{escape(note)}</li>" for note in (*found.notes, found.notice) if note),
        "</ul>",
        *_sides(found.sides, found.headline),
    ]
    for pair, rows in zip_longest(found.pairs, shown):
        parts += _pair(pair, found, rows, pictures or {})
    return "\n".join([*parts, "</body></html>", ""])


def cells_of(gap: Gap, *, corrected: bool) -> list[str]:
    """Return a line of the table of scores: one cell for each column, the correction if wanted."""
    scale, digits = scale_of(gap), digits_of(gap)
    name = f"{gap.score} (lower is better)" if gap.lower_is_better else gap.score
    difference = (
        "" if math.isnan(gap.difference) else f"{gap.difference * scale:+z.{digits}f}{unit_of(gap)}"
    )
    ends = ""
    if gap.low is not None and gap.high is not None:
        ends = f"[{gap.low * scale:+z.{digits}f}, {gap.high * scale:+z.{digits}f}]"
    cells = [name, _number(gap.first), _number(gap.second), difference, ends, p_value(gap.p)]
    return [*cells, *([p_value(gap.corrected)] if corrected else []), gap.note]


def cells_of_side(side: Side, headline: str) -> list[str]:
    """Return a line of the table of contenders: name, headline, its own interval, runs."""
    ends = "" if side.low is None or side.high is None else f"[{side.low:.4f}, {side.high:.4f}]"
    return [side.name, _number(side.scores[headline]), ends, str(len(side.runs))]


def page_head(title: str) -> str:
    """Return how a page begins, its style in it."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
    )


def _sides(sides: Sequence[Side], headline: str) -> Iterator[str]:
    yield "<h2>Everyone</h2>"
    yield from page_table(
        ["", headline, "95 % interval", "runs"], [cells_of_side(s, headline) for s in sides]
    )


def _pair(
    pair: Pair,
    found: Comparison,
    rows: Sequence[Disagreement] | None,
    pictures: Mapping[str, str],
) -> Iterator[str]:
    yield f"<h2>{escape(pair.first)} and {escape(pair.second)}</h2>"
    head = ["score", pair.first, pair.second, "difference", "95 % interval", "p"]
    corrected = found.family > 1
    head += [f"p for {found.family}"] if corrected else []
    lines = [cells_of(gap, corrected=corrected) for gap in pair.gaps]
    yield from page_table([*head, "how"], lines, "noted")
    for test in pair.tests:
        yield f'<p class="muted">{escape(test.name)}: {escape(test.says)}, p {p_value(test.p)}</p>'
    if not rows:
        return
    for only_first, name, keys in (
        (True, pair.first, pair.only_first),
        (False, pair.second, pair.only_second),
    ):
        yield f"<h2>{len(keys):,} row(s) that only {escape(name)} says right</h2>"
        of_side = [row for row in rows if row.only_first is only_first]
        if len(of_side) < len(keys):
            yield f'<p class="muted">the {MOST} that the other is surest about</p>'
        yield '<div class="rows">'
        for row in of_side:
            yield from _row(row, pair, pictures.get(row.key))
        yield "</div>"


def _row(row: Disagreement, pair: Pair, picture: str | None) -> Iterator[str]:
    yield "<figure>"
    if picture is not None:
        yield f'<img src="{escape(picture)}" alt="{escape(row.label)}">'
    yield f"<figcaption><b>{escape(row.label)}</b><br>"
    for name, says, is_right in (
        (pair.first, row.first_says, row.only_first),
        (pair.second, row.second_says, not row.only_first),
    ):
        kind = "right" if is_right else "wrong"
        yield f'{escape(name)}: <span class="{kind}">{escape(says)}</span><br>'
    yield f"<small>{escape(row.key)}</small></figcaption></figure>"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def page_table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> Iterator[str]:
    """Yield a table that scrolls where it is wider than the page; `noted` wraps the last column."""
    yield f'<div class="scroll"><table class="{kind}">'
    yield "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table></div>"

"""An audit as one page of HTML that needs nothing else; whatever comes from files is escaped."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from transfer.auditing.found import Audit, Copies, Member
from transfer.auditing.words import finding_lines, understood_lines
from transfer.comparing.page import page_head, page_table

MOST = 48
"""Findings of a kind that the page shows; JSON has all."""


def as_page(found: Audit, pictures: Mapping[int, str] | None = None) -> str:
    """Return the page.

    Args:
        found: what to tell.
        pictures: `data:` addresses by row number; none leaves them out.
    """
    about, seen = found.understood, pictures or {}
    title = f"audit of {about.data}"
    leaks = "The given splits leak." if not found.is_clean else "No leak between given splits."
    return "\n".join(
        [
            page_head(title),
            f"<h1>{escape(title)}</h1>",
            f'<p class="muted">as {escape(about.task)} reads it</p>',
            f'<p class="verdict">{leaks}</p>',
            *page_table(["", "understood"], [[*line] for line in understood_lines(about)], "noted"),
            "<h2>Findings</h2>",
            *page_table(["", "", "found"], [[*line] for line in finding_lines(found)], "noted"),
            *_leaks(found),
            *_equals(found, seen),
            *_copies("Near-duplicates across given splits", found.divided, seen),
            *_copies("Near-duplicates", [one for one in found.copies if not one.leaks], seen),
            *_doubts(found, seen),
            *_facts(found),
            "</body></html>",
            "",
        ]
    )


def shown_rows(found: Audit) -> list[int]:
    """Return the rows whose pictures the page shows, ascending."""
    rows = [row for group in found.equals[:MOST] for row in group[:2]]
    apart = [one for one in found.copies if not one.leaks]
    for pairs in (found.divided[:MOST], apart[:MOST]):
        rows += [row for pair in pairs for row in (pair.first, pair.second)]
    rows += [doubt.row for doubt in (found.doubts or ())[:MOST]]
    return sorted({row.number for row in rows})


def _leaks(found: Audit) -> Iterator[str]:
    if found.leaks:
        yield from _title("What given splits divide", len(found.leaks))
        yield "<ul>"
        yield from (f"<li>{escape(str(leak))}</li>" for leak in found.leaks[:MOST])
        yield "</ul>"
    if found.contradictions:
        yield from _title("One picture, two labels", len(found.contradictions))
        yield "<ul>"
        yield from (f"<li>{escape(str(odd))}</li>" for odd in found.contradictions[:MOST])
        yield "</ul>"


def _equals(found: Audit, seen: Mapping[int, str]) -> Iterator[str]:
    if not found.equals:
        return
    yield from _title("Equal pictures", len(found.equals))
    yield '<div class="rows">'
    for rows in found.equals[:MOST]:
        yield from _figure(rows[:2], f"{len(rows)} rows", seen)
    yield "</div>"


def _copies(title: str, pairs: Sequence[Copies], seen: Mapping[int, str]) -> Iterator[str]:
    if not pairs:
        return
    yield from _title(title, len(pairs))
    yield '<div class="rows">'
    for pair in pairs[:MOST]:
        how = f"agreement {pair.agreement:.2f}{', mirrored' if pair.mirrored else ''}"
        odd = ' <span class="wrong">two labels</span>' if pair.contradict else ""
        yield from _figure((pair.first, pair.second), f"{how}{odd}", seen)
    yield "</div>"


def _doubts(found: Audit, seen: Mapping[int, str]) -> Iterator[str]:
    if not found.doubts:
        return
    yield from _title("Likely label errors", len(found.doubts))
    yield '<p class="muted">a probe that never saw the row says another class, the surest first</p>'
    yield '<div class="rows">'
    for doubt in found.doubts[:MOST]:
        says = f'says <span class="wrong">{escape(doubt.says)}</span> {doubt.confidence:.2f}'
        yield from _figure((doubt.row,), says, seen)
    yield "</div>"


def _facts(found: Audit) -> Iterator[str]:
    if found.shortcut is not None and found.shortcut.of_facts:
        yield "<h2>What facts of files give away</h2>"
        rows = [[name, f"{score:.3f}"] for name, score in found.shortcut.of_facts.items()]
        rows += [["all", f"{found.shortcut.score:.3f}"], ["chance", f"{found.shortcut.chance:.3f}"]]
        yield from page_table(["fact alone", "balanced accuracy"], rows)


def _title(title: str, count: int) -> Iterator[str]:
    more = f", {MOST} of them shown" if count > MOST else ""
    yield f"<h2>{escape(title)}: {count:,}{more}</h2>"


def _figure(rows: Sequence[Member], says: str, seen: Mapping[int, str]) -> Iterator[str]:
    """Yield rows beside each other; `says` is HTML."""
    yield "<figure>"
    for row in rows:
        if row.number in seen:
            yield f'<img src="{escape(seen[row.number])}" alt="{escape(row.label)}">'
    yield f"<figcaption>{says}<br>"
    for row in rows:
        where = f" ({escape(row.split)})" if row.split else ""
        yield f"<b>{escape(row.label)}</b>{where} <small>{escape(row.image)}</small><br>"
    yield "</figcaption></figure>"

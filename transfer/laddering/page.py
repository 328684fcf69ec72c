"""A ladder as one page of HTML that needs nothing else, in the clothes of a comparison's."""

import base64
from html import escape

from transfer.comparing.page import page_head, page_table
from transfer.laddering.figure import pareto
from transfer.laddering.result import Ladder
from transfer.laddering.table import HEAD, cells


def as_page(found: Ladder) -> str:
    """Return the page; whatever comes from the user's files is escaped."""
    title = f"What depth is worth: {found.task}"
    rows = ", ".join(f"{split} {count:,}" for split, count in found.rows.items() if count)
    notes = [f"{one.rung.name}: {note}" for one in found.climbed for note in one.notes]
    ended = f"{found.ended}; the test rows were not looked at" if found.ended else ""
    missing = [f"{one.rung.name}: {one.rung.missing}" for one in found.climbed if one.rung.missing]
    tried = [one for one in found.climbed if not one.rung.missing]
    about = (
        f"rows: {rows}; pictures of {found.size} px; by {found.headline} on val; "
        f"measured on {found.machine}"
    )
    parts = [
        page_head(title),
        f"<h1>{escape(title)}</h1>",
        f'<p class="muted">{escape(about)}</p>',
        f'<p class="verdict">{escape(found.recommendation)}</p>',
        f"<p>{escape(found.lead)}</p>" if found.lead else "",
        *_on_test(found),
        "<ul>",
        *(
            f"<li>{escape(note)}</li>"
            for note in (ended, *found.notes, *notes, *missing, found.notice)
            if note
        ),
        "</ul>",
        *_figure(found),
        *page_table(HEAD, [cells(one, found.chosen) for one in tried], "noted"),
        "</body></html>",
        "",
    ]
    return "\n".join(parts)


def _on_test(found: Ladder) -> list[str]:
    if not found.test:
        return []
    value, name = found.test[found.headline], found.headline
    ends = ""
    if f"{name}_low" in found.test:
        ends = f" [{found.test[f'{name}_low']:.3f}, {found.test[f'{name}_high']:.3f}]"
    said = f"On test, of {found.chosen} alone, looked at once after it was chosen: {name} "
    return [f"<p>{escape(said)}{value:.3f}{ends}</p>"]


def _figure(found: Ladder) -> list[str]:
    known = [one for one in found.climbed if one.best is not None and one.footprint is not None]
    if not known:
        return []
    picture = base64.b64encode(pareto(known, found.headline, found.chosen, found.most_ms)).decode()
    source = f'class="drawn" alt="score against latency" src="data:image/png;base64,{picture}"'
    return [f'<div class="scroll"><img {source}></div>']

"""A ladder as a table: numbers for files, and cells for people."""

import math
from collections.abc import Mapping
from dataclasses import asdict

from transfer.laddering.choosing import in_ms
from transfer.laddering.result import Climbed, Ladder

HEAD = (
    *("backbone", "probe", "trained", "by", "ms", "ms of 32", "M parameters", "GMACs", "MB"),
    *("train images/s", "pretraining", ""),
)
"""What stands over `cells`."""


def as_table(found: Ladder) -> list[dict[str, object]]:
    """Return a line for each network that was tried, and for each rung of which none was."""
    lines: list[dict[str, object]] = []
    for one in found.climbed:
        head: dict[str, object] = {
            "backbone": one.rung.backbone,
            "pretraining": one.rung.pretraining or one.rung.weights,
            **(asdict(one.footprint) if one.footprint is not None else {}),
        }
        networks: list[Mapping[str, object]] = [asdict(tried) for tried in one.tried]
        rest = {"chosen": one.rung.name == found.chosen, "notes": "; ".join(_notes(one))}
        lines += [{**head, **network, **rest} for network in networks or [{}]]
    return lines


def cells(one: Climbed, chosen: str | None) -> list[str]:
    """Return a line of the table for people, as under `HEAD`."""
    cost, rung = one.footprint, one.rung
    costs = [""] * 6
    if cost is not None:
        costs = [
            in_ms(cost.latency_ms),
            in_ms(cost.latency_many_ms),
            f"{cost.parameters / 1e6:.1f}",
            f"{cost.macs / 1e9:.2f}",
            f"{cost.memory_mb:,.0f}",
            f"{cost.training_images_per_second:,.0f}",
        ]
    probes = [tried for tried in one.tried if tried.strategy == "probe"]
    others = [tried for tried in one.tried if tried.strategy != "probe"]
    scores = [probes[0].words() if probes else "", others[0].words() if others else ""]
    scores.append(others[0].strategy if others else "")
    mark = "chosen" if rung.name == chosen else ""
    last = "; ".join(filter(None, [mark, *_notes(one)]))
    return [rung.name, *scores, *costs, rung.pretraining or "none", last]


def _notes(one: Climbed) -> list[str]:
    notes = [one.rung.missing, *one.notes]
    if any(math.isnan(tried.value) for tried in one.tried):
        notes.append("its score is undefined on these rows")
    return [note for note in notes if note]

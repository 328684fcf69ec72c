"""Who gets a name, with registry and comparison standing in for themselves."""

from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from transfer.errors import ComparisonError, PromotionError
from transfer.progress import Silent
from transfer.promotion.promote import promote
from transfer.tracking.registry import check_names
from transfer.tracking.stored_runs import StoredRun
from transfer.tracking.tracker import AUDIT_TAG

HOME = "transfer.promotion.promote"


class World(SimpleNamespace):
    """What there is: the audit of the run, who holds the alias, and how the two compare."""

    def run(self, *_: object) -> StoredRun:
        tags = {"transfer.record": "record"} | ({AUDIT_TAG: self.audit} if self.audit else {})
        return StoredRun("new", "new run", "pets", "FINISHED", datetime.now(UTC), {}, tags, {})

    def compare(self, wanted: object, on: str, *_: object) -> SimpleNamespace:
        assert (wanted, on) == ([["old"], ["new"]], "test")
        if self.leads is None:
            raise ComparisonError("of 9 and 8 rows none are the same")
        gap = SimpleNamespace(second_leads=self.leads > 0, is_reliable=abs(self.leads) > 1)
        pair = SimpleNamespace(headline=gap, verdict=f"ahead by {self.leads}")
        return SimpleNamespace(found=SimpleNamespace(pairs=(pair,)))

    def register(
        self, store: object, run: str, name: str, alias: str, parcel: object, tags: object
    ):
        self.kept = (run, name, alias, tags)
        return "7"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(audit="clean", holder="old", leads=2, kept=None)
    monkeypatch.setattr(f"{HOME}.find_run", world.run)
    monkeypatch.setattr(f"{HOME}.model_folder", lambda *_: None)
    monkeypatch.setattr(f"{HOME}.run_of_alias", lambda *_: world.holder)
    monkeypatch.setattr(f"{HOME}.compare_runs", world.compare)
    monkeypatch.setattr(f"{HOME}.packed", lambda *_: nullcontext("parcel"))
    monkeypatch.setattr(f"{HOME}.register", world.register)
    return world


def test_a_clean_run_that_is_better_takes_the_alias(world: World) -> None:
    done = promote(None, "new", "champion", Silent())
    assert (done.name, done.version, done.forced) == ("pets", "7", False)
    assert world.kept[:3] == ("new", "pets", "champion")
    assert world.kept[3]["transfer.why"].endswith("on test against champion:pets: ahead by 2")
    assert "transfer.forced" not in world.kept[3]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"audit": ""}, "its rows were not audited"),
        ({"audit": "leaks allowed: 3"}, "audit: leaks allowed: 3"),
        ({"leads": 1}, "ahead by 1"),
        ({"leads": -2}, "ahead by -2"),
        ({"leads": None}, "cannot be compared.*transfer fit --split champion:pets"),
    ],
)
def test_what_nothing_speaks_for_is_refused_unless_forced(
    world: World, changes: dict[str, object], reason: str
) -> None:
    vars(world).update(changes)
    with pytest.raises(PromotionError, match=f"{reason}.*--force"):
        promote(None, "new", "champion", Silent())
    assert world.kept is None
    assert promote(None, "new", "champion", Silent(), force=True).forced
    assert world.kept[3]["transfer.forced"]


def test_the_first_needs_a_clean_audit_alone(world: World) -> None:
    vars(world).update(holder=None, leads=None)
    assert not promote(None, "new", "champion", Silent()).forced


@pytest.mark.parametrize(
    ("name", "alias"), [("a/b", "x"), ("", "x"), ("a", "latest"), ("a", "v3"), ("a", "b c")]
)
def test_names_that_the_registry_refuses_are_refused_with_the_reason(name: str, alias: str) -> None:
    with pytest.raises(PromotionError, match="--name|--as"):
        check_names(name, alias)

"""A comparison in a store of MLflow's."""

import pytest

import transfer
from transfer.tracking.runs import fetch, find_run, list_runs


@pytest.mark.slow
def test_a_comparison_is_found_by_its_id_and_nowhere_else(store, stored, answers, tmp_path):
    ids = [stored(name, {"val": answers(seed)}).id for name, seed in (("a", 1), ("b", 2))]

    found = transfer.compare("a", "b", store=store.out)

    kept = find_run(store, found.run_id)
    assert (kept.name, kept.experiment, kept.status) == (
        "compare-a-b", "labelled_images", "FINISHED"
    )  # fmt: skip
    assert kept.tags["transfer.compared"].split(",") == ids
    assert kept.metrics["gap/accuracy"] == found.pairs[0].gaps[1].difference
    page = fetch(store, kept, "comparison.html", tmp_path / "fetched").read_text()
    assert found.pairs[0].verdict in page
    assert set(list_runs(store)["name"]) == {"a", "b"}
    assert find_run(store, "last").name in {"a", "b"}

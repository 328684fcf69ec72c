from pathlib import Path

from transfer.tracking.tracker import RunDescription, SilentTracker, Tracker


def test_the_silent_tracker_forgets_everything_and_names_the_run(tmp_path: Path) -> None:
    tracker: Tracker = SilentTracker()

    run_id = tracker.start(RunDescription("demo", "first"))
    tracker.tag({"a": "b"})
    tracker.log({"train/loss": 1.0}, step=3)
    tracker.read([])
    tracker.keep("a.txt", b"bytes")
    tracker.keep_model(lambda folder: folder.joinpath("a").touch())

    assert run_id == tracker.finish("FINISHED") == "untracked-first"
    assert list(tmp_path.iterdir()) == []

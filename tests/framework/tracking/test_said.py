from transfer.tracking.events import Numbers, Read, Started, Tagged
from transfer.tracking.said import Said
from transfer.tracking.tracker import THROUGHPUT, DataInput, RunDescription

_TRAIN = DataInput("chips", "train", "0" * 16, "data/chips", 7, 2)
_VAL = DataInput("chips", "val", "1" * 16, "data/chips", 3, 2)
_START = Started(destination="here", run=RunDescription("demo", "first", {}, {"why": "test"}))


def test_a_number_is_news_once_a_step() -> None:
    said = Said([Numbers(step=1, values={"loss": 0.5})])

    assert said.news(Numbers(time=3, step=1, values={"loss": 0.5})) is None
    assert said.news(Numbers(time=3, step=1, values={"loss": 0.6, "lr": 0.1})) == Numbers(
        time=3, step=1, values={"lr": 0.1}
    )
    assert said.news(Numbers(time=3, step=2, values={"loss": 0.5})) is not None


def test_a_tag_is_news_when_it_changes() -> None:
    said = Said([_START, Tagged(tags={"a": "1"}), Tagged(tags={"a": "2"})])

    assert said.news(Tagged(tags={"a": "2", "why": "test"})) is None
    assert said.news(Tagged(time=3, tags={"a": "1", "why": "test"})) == Tagged(
        time=3, tags={"a": "1"}
    )


def test_data_is_news_once() -> None:
    said = Said([Read(inputs=(_TRAIN,))])

    assert said.news(Read(time=3, inputs=(_TRAIN, _VAL))) == Read(time=3, inputs=(_VAL,))
    assert said.news(Read(inputs=(_TRAIN,))) is None


def test_another_value_is_told_and_speed_and_no_number_are_not() -> None:
    nan = float("nan")
    said = Said([Numbers(step=3, values={"loss": 0.5, "odd": nan, THROUGHPUT: 100.0})])

    assert said.change(Numbers(step=3, values={"loss": 0.5, "odd": nan, THROUGHPUT: 90.0})) is None
    assert said.change(Numbers(step=4, values={"loss": 0.6})) is None
    told = said.change(Numbers(step=3, values={"loss": 0.6}))
    assert told is not None
    assert "'loss' at step 3 was 0.5 before and is 0.6 now" in told


def test_steps_go_on_behind_the_last_of_a_kind() -> None:
    said = Said([Numbers(step=7, values={"loss": 0.5}), Numbers(step=4, values={"system/cpu": 1})])

    assert said.next_step("system/") == 5
    assert said.next_step("other/") == 0

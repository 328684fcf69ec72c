"""Intervals by group: what they hold, how wide they are, and when there are none."""

import numpy as np
import pytest
from scipy import stats

from transfer.samples.predictions import Predictions
from transfer.scoring import intervals
from transfer.scoring.intervals import Score, per_class_table, score_with_intervals
from transfer.scoring.metrics import per_class_scores, point_scores
from transfer.scoring.single_label import single_label_scores

CLASSES = ("forest", "river", "sea")


def predictions_of(targets, guessed, groups=None, confidence=0.9):
    """Guess `guessed` with one confidence for all rows; each row is a group unless told."""
    targets, guessed = np.asarray(targets), np.asarray(guessed)
    rows = np.arange(len(targets))
    probabilities = np.full((len(rows), len(CLASSES)), (1 - confidence) / 2, dtype=np.float32)
    probabilities[rows, guessed] = confidence
    groups = rows if groups is None else np.asarray(groups)
    return Predictions(CLASSES, rows.astype(np.str_), groups, targets, probabilities)


def random_predictions(rows=120, copies=1, seed=0, right=0.7):
    """Right with probability `right`; each row stands there `copies` times, as one group."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(3, size=rows)
    wrong = (targets + generator.integers(1, 3, size=rows)) % 3
    guessed = np.where(generator.random(rows) < right, targets, wrong)
    return predictions_of(
        targets.repeat(copies), guessed.repeat(copies), np.arange(rows).repeat(copies)
    )


def width(score):
    return score.high - score.low


def wilson_interval(successes, count):
    interval = stats.binomtest(successes, count).proportion_ci(0.95, method="wilson")
    return interval.low, interval.high


def test_the_value_is_the_point_score_and_lies_inside_the_interval():
    predictions = random_predictions()

    scores = score_with_intervals(predictions, single_label_scores)

    assert {n: score.value for n, score in scores.items()} == point_scores(
        predictions, single_label_scores
    )
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "log_loss"):
        assert scores[name].low < scores[name].value < scores[name].high
        assert scores[name].note == "bootstrap of 120 groups, 2000 resamples"


def test_an_accuracy_interval_is_that_of_a_slow_bootstrap_of_unequal_groups():
    generator = np.random.default_rng(0)
    groups = generator.integers(25, size=200)
    predictions = predictions_of(np.zeros(200, int), generator.integers(2, size=200), groups)
    right = predictions.probabilities.argmax(axis=1) == 0
    members = [np.flatnonzero(groups == group) for group in range(25)]
    slow = []
    for _ in range(2000):
        drawn = np.concatenate([members[group] for group in generator.integers(25, size=25)])
        slow.append(right[drawn].mean())

    score = score_with_intervals(predictions, single_label_scores, replicates=4000)["accuracy"]

    assert (score.low, score.high) == pytest.approx(np.percentile(slow, (2.5, 97.5)), abs=0.01)


def test_copies_within_a_group_make_an_interval_no_narrower():
    single = score_with_intervals(random_predictions(), single_label_scores)
    copied = score_with_intervals(random_predictions(copies=9), single_label_scores)

    for name in ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "log_loss"):
        assert copied[name][:3] == pytest.approx(single[name][:3])


def test_an_interval_by_group_is_wider_than_one_by_row_where_rows_of_a_group_are_alike():
    by_group = random_predictions(copies=9)
    by_row = predictions_of(by_group.targets, by_group.probabilities.argmax(axis=1))

    wide = score_with_intervals(by_group, single_label_scores)["accuracy"]
    narrow = score_with_intervals(by_row, single_label_scores)["accuracy"]

    assert width(wide) == pytest.approx(3 * width(narrow), rel=0.1)


def test_about_95_in_100_intervals_on_clustered_rows_hold_the_true_accuracy():
    held = 0
    for seed in range(100):
        predictions = random_predictions(rows=80, copies=3, seed=seed)
        score = score_with_intervals(predictions, single_label_scores, replicates=200)["accuracy"]
        held += score.low <= 0.7 <= score.high

    assert 88 <= held <= 100


def test_a_higher_level_is_wider():
    predictions = random_predictions()

    half = score_with_intervals(predictions, single_label_scores, level=0.5)["accuracy"]
    most = score_with_intervals(predictions, single_label_scores, level=0.99)["accuracy"]

    assert width(most) > 2 * width(half)


def test_a_seed_decides_the_interval():
    predictions = random_predictions()

    first, again, other = (
        score_with_intervals(predictions, single_label_scores, seed=seed)["log_loss"]
        for seed in (3, 3, 4)
    )

    assert first == again
    assert first != other


def test_chunks_do_not_change_the_interval(monkeypatch):
    predictions = random_predictions()
    whole = score_with_intervals(predictions, single_label_scores, replicates=100)

    monkeypatch.setattr(intervals, "CHUNK_BYTES", 7 * 8 * len(predictions))

    chunked = score_with_intervals(predictions, single_label_scores, replicates=100)
    for name in ("accuracy", "kappa", "log_loss"):
        assert chunked[name][:3] == pytest.approx(whole[name][:3])


def test_names_of_groups_may_be_any_numbers():
    predictions = random_predictions(copies=2)
    renamed = predictions_of(
        predictions.targets,
        predictions.probabilities.argmax(axis=1),
        predictions.groups * 10**12 - 5,
    )

    assert score_with_intervals(renamed, single_label_scores) == score_with_intervals(
        predictions, single_label_scores
    )


def test_under_twenty_groups_there_is_no_interval_and_the_note_says_why():
    few = score_with_intervals(random_predictions(rows=7, copies=30), single_label_scores)
    enough = score_with_intervals(random_predictions(rows=20), single_label_scores)

    for score in few.values():
        assert score[1:] == (None, None, "7 groups; 20 are needed for an interval")
    assert enough["accuracy"].low is not None


def test_of_a_score_of_some_rows_their_groups_are_counted():
    predictions = random_predictions(rows=120, copies=2)
    few, many = predictions.groups < 15, predictions.groups < 60

    def shares(said, weights):
        right = said.probabilities.argmax(axis=1) == said.targets
        both = {"few": few, "many": many, "sure": few & right, "balanced_accuracy/few": few & right}
        return {n: (weights * right) @ rows / (weights @ rows) for n, rows in both.items()}

    rests_on = {"few": few, "many": many, "sure": few, "balanced_accuracy/few": few}
    scores = score_with_intervals(predictions, shares, rests_on=rests_on)

    assert scores["few"][1:] == (None, None, "15 groups; 20 are needed for an interval")
    assert scores["many"].note == "bootstrap of 60 groups, 2000 resamples"
    assert scores["sure"][:3] == pytest.approx((1.0, *wilson_interval(15, 15)))
    groups = [len(set(predictions.groups[few & (predictions.targets == k)])) for k in range(3)]
    known = round(9 / sum(1 / count for count in groups))  # a mean over classes, as of all rows
    assert scores["balanced_accuracy/few"][:3] == pytest.approx(
        (1.0, *wilson_interval(known, known))
    )


def test_a_calibration_error_has_a_value_and_no_interval():
    score = score_with_intervals(random_predictions(), single_label_scores)["ece"]

    assert score.value > 0
    assert score[1:] == (None, None, "no interval: resampling inflates a calibration error")


@pytest.mark.parametrize("groups", [20, 50, 300])
def test_perfect_scores_take_wilson_on_the_groups(groups):
    targets = np.arange(groups).repeat(2) % 2
    perfect = predictions_of(targets, targets, np.arange(groups).repeat(2))

    scores = score_with_intervals(perfect, single_label_scores)

    low, high = wilson_interval(groups, groups)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "kappa"):
        assert scores[name][:3] == pytest.approx((1.0, low, high))
        assert scores[name].high == 1
        assert scores[name].note == f"Wilson on {groups} groups: a bootstrap says nothing at 1"


def test_scores_of_nothing_right_take_wilson_except_kappa_which_goes_on_below():
    targets = np.arange(60) % 3
    wrong = predictions_of(targets, (targets + np.arange(60) // 3 % 2 + 1) % 3)

    scores = score_with_intervals(wrong, single_label_scores)

    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert scores[name][:3] == pytest.approx((0.0, *wilson_interval(0, 60)))
        assert scores[name].low == 0
    assert scores["kappa"].value < 0
    assert scores["kappa"].note.startswith("bootstrap")


def test_a_perfect_mean_over_classes_is_surer_the_more_groups_its_rarest_class_has():
    targets = np.array([0] * 90 + [1] * 10)
    score = score_with_intervals(predictions_of(targets, targets), single_label_scores)

    # A mean of two proportions from 90 and 10 rows varies like one from 4 / (1/90 + 1/10) = 36.
    low, high = wilson_interval(36, 36)
    for name in ("balanced_accuracy", "macro_f1"):
        assert score[name][:3] == pytest.approx((1.0, low, high))


def test_a_mean_over_classes_that_share_groups_knows_no_more_than_the_groups():
    targets = np.arange(75) % 3
    shared = predictions_of(targets, targets, np.arange(75) // 3)

    score = score_with_intervals(shared, single_label_scores)["macro_f1"]

    assert score.low == pytest.approx(wilson_interval(25, 25)[0])


def rare_predictions(seed, rows_of_class):
    """Right in three of four rows, otherwise another class; each row is a group."""
    generator = np.random.default_rng(seed)
    count = len(rows_of_class)
    targets = np.arange(count).repeat(rows_of_class)
    wrong = (targets + generator.integers(1, count, len(targets))) % count
    guessed = np.where(generator.random(len(targets)) < 0.75, targets, wrong)
    rows = np.arange(len(targets))
    classes = tuple(f"class {number}" for number in range(count))
    probabilities = np.eye(count, dtype=np.float32)[guessed]
    return Predictions(classes, rows.astype(np.str_), rows, targets, probabilities)


def test_an_interval_of_few_rows_a_class_lies_around_the_score():
    rows_of_class = np.arange(59) % 3 + 2
    values, held = [], []
    for seed in range(40):
        predictions = rare_predictions(seed, rows_of_class)
        scores = score_with_intervals(predictions, single_label_scores, replicates=100)
        for name in ("balanced_accuracy", "macro_f1"):
            assert scores[name].low < scores[name].value < scores[name].high
        values.append(scores["macro_f1"].value)
        held.append(scores["macro_f1"][1:3])

    mean = np.mean(values)

    assert sum(low <= mean <= high for low, high in held) >= 34  # 38 expected
    assert sum(mean < low for low, _ in held) <= 4


def test_classes_of_one_group_are_said():
    rows_of_class = np.array([1] * 4 + [9] * 5)
    scores = score_with_intervals(rare_predictions(0, rows_of_class), single_label_scores)

    remark = "; 4 of 9 classes have one group: likely too narrow"
    for name in ("balanced_accuracy", "macro_f1"):
        assert scores[name].note == f"bootstrap of 49 groups, 2000 resamples{remark}"
    assert scores["accuracy"].note == "bootstrap of 49 groups, 2000 resamples"


def test_an_interval_that_is_moved_back_stays_between_0_and_1():
    predictions = rare_predictions(3, np.full(59, 2))
    guessed = predictions.targets.copy()
    guessed[0] = 1
    probabilities = np.eye(59, dtype=np.float32)[guessed]
    nearly = Predictions(
        predictions.classes,
        predictions.keys,
        predictions.groups,
        predictions.targets,
        probabilities,
    )

    score = score_with_intervals(nearly, single_label_scores)["macro_f1"]

    assert 0.9 < score.low < score.value < score.high <= 1


def test_a_log_loss_never_takes_wilson():
    alike = predictions_of([0] * 30, [0] * 30, confidence=1.0)
    sure_of_nothing = predictions_of([0] * 30, [1] * 30, confidence=1 - 2 / np.e)

    for predictions in (alike, sure_of_nothing):
        score = score_with_intervals(predictions, single_label_scores)["log_loss"]
        assert score[1:] == (None, None, "no interval: resamples of 30 groups do not differ")


def test_a_score_that_no_resample_moves_has_no_interval():
    constant = predictions_of(np.arange(90) % 3, [0] * 90)

    score = score_with_intervals(constant, single_label_scores)["balanced_accuracy"]

    assert score == Score(1 / 3, None, None, "no interval: resamples of 90 groups do not differ")


@pytest.mark.parametrize("name", ["error_px", "accuracy/north", "accuracy/river"])
def test_a_score_of_another_name_is_no_proportion_and_takes_no_wilson(name):
    def scorer(_, weights):
        return {name: np.ones(len(weights))}

    score = score_with_intervals(random_predictions(), scorer)[name]

    assert score == Score(1.0, None, None, "no interval: resamples of 120 groups do not differ")


def test_resamples_that_leave_a_score_undefined_are_ignored():
    targets = np.array([0] * 40 + [1] * 2)
    guessed = np.array([0] * 40 + [0, 1])
    predictions = predictions_of(targets, guessed)

    score = score_with_intervals(predictions, per_class_scores)["recall/river"]

    # Neither of the two rows is drawn in (40/42)^42, about 13 % of the resamples.
    assert 1650 < int(score.note.split()[4]) < 1830
    assert score[:3] == (0.5, 0.0, 1.0)


def test_the_class_table_has_the_scores_and_intervals_of_each_class():
    predictions = random_predictions(seed=1)
    scores = score_with_intervals(predictions, per_class_scores, seed=5)

    table = per_class_table(predictions, seed=5)

    assert table["class"].tolist() == list(CLASSES)
    assert table["rows"].tolist() == [int((predictions.targets == n).sum()) for n in range(3)]
    for number, name in enumerate(CLASSES):
        for family in ("precision", "recall", "f1"):
            columns = [family, f"{family}_low", f"{family}_high"]
            assert tuple(table.loc[number, columns]) == scores[f"{family}/{name}"][:3]


def test_a_perfect_class_takes_wilson_on_the_groups_that_bear_on_it():
    targets = np.array([0] * 30 + [1] * 8 + [0] * 4)
    guessed = np.array([0] * 30 + [1] * 8 + [1] * 4)  # 8 of river, 12 guessed as river

    table = per_class_table(predictions_of(targets, guessed)).set_index("class")

    river, forest = table.loc["river"], table.loc["forest"]
    assert (river["recall_low"], river["recall_high"]) == pytest.approx(wilson_interval(8, 8))
    assert forest["precision_low"] == pytest.approx(wilson_interval(30, 30)[0])
    assert river["precision_low"] < 8 / 12 < river["precision_high"] < 1


def test_a_class_that_is_never_guessed_or_has_no_rows_has_no_interval_there():
    table = per_class_table(predictions_of([0, 1] * 15, [0, 0] * 15)).set_index("class")

    assert table.loc["river", "precision"] == 0
    assert np.isnan(table.loc["river", "precision_low"])
    assert table.loc["river", "recall_high"] == pytest.approx(wilson_interval(0, 15)[1])
    assert table.loc["sea", ["recall", "recall_low", "f1", "f1_high"]].isna().all()
    assert table.loc["sea", "rows"] == 0


def test_the_class_table_of_few_groups_has_numbers_only():
    table = per_class_table(random_predictions(rows=5))

    assert table["recall_low"].isna().all()
    assert table["recall_low"].dtype == np.float64

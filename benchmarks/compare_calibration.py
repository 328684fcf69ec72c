"""How often `transfer compare` sees a difference: where there is none, and where there is one.

    python benchmarks/compare_calibration.py
    python benchmarks/compare_calibration.py --pairs 200 --replicates 499
    python benchmarks/compare_calibration.py --pairs 200 --replicates 499 --recipes

Pairs of networks are drawn, not trained: each row is right where a number is above 0 that is the
sum of how hard the row is, how hard its group is (both networks share these), how well this network
does on this group, and chance. Without a difference, 5 % of the pairs should come out below 0.05;
with one of 3 points, as many as the spread of the measured gaps lets expect.

    independent   every row is a group
    clustered     groups of five rows, on which a network is good or bad as a whole
    surer         as independent, but one network is surer of all it says
    recipes       as independent, five networks of each recipe, some of them luckier than others
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy import stats

from transfer.comparing.gaps import Gap, gap_of_models, gap_of_recipes
from transfer.comparing.resampling import points, resampled_scores, swapped_gaps
from transfer.samples.predictions import Predictions
from transfer.scoring.ranking import rank_measures, roc_area
from transfer.scoring.single_label import single_label_scores

SHARES = (0.5, 0.3, 0.2)  # of the classes
RIGHT = 0.85


@dataclass(frozen=True)
class Design:
    """What pairs are like; the variances of all that makes a row right or wrong add up to 1."""

    rows_of_group: int = 1
    of_group: float = 0.0
    of_network: float = 0.0
    sureness: float = 1.0


DESIGNS = {
    "independent": Design(),
    "clustered": Design(rows_of_group=5, of_group=0.2, of_network=0.15),
    "surer": Design(sureness=5.0),
}
OF_ROW = 0.4
LUCK, SEEDS = 0.1, 5  # of a network, as a deviation of the sum; networks of each recipe


def pair(design: Design, rows: int, seed: int, gap: float = 0.0) -> tuple[Predictions, Predictions]:
    """Draw what two networks say of the same rows; the second is right more often by `gap`."""
    generator = np.random.default_rng([seed, rows])
    groups = np.arange(rows) // design.rows_of_group
    targets = generator.choice(len(SHARES), size=rows, p=SHARES)
    count = int(groups[-1]) + 1
    shared = generator.normal(0, np.sqrt(design.of_group), count)[groups]
    shared += generator.normal(0, np.sqrt(OF_ROW), rows)
    rest = 1 - OF_ROW - design.of_group - design.of_network
    said = []
    for right, sureness in ((RIGHT, 1.0), (RIGHT + gap, design.sureness)):
        margin = NormalDist().inv_cdf(right) + shared
        margin += generator.normal(0, np.sqrt(design.of_network), count)[groups]
        margin += generator.normal(0, np.sqrt(rest), rows)
        said.append(_answers(targets, groups, sureness * margin, generator))
    return said[0], said[1]


def _answers(
    targets: np.ndarray, groups: np.ndarray, margin: np.ndarray, generator: np.random.Generator
) -> Predictions:
    rows = np.arange(len(targets))
    true = 1 / (1 + np.exp(-margin))
    rival = (targets + generator.integers(1, len(SHARES), len(rows))) % len(SHARES)
    probabilities = np.zeros((len(rows), len(SHARES)), np.float32)
    probabilities[rows, targets], probabilities[rows, rival] = true, 1 - true
    keys = rows.astype(np.str_)
    return Predictions(("a", "b", "c"), keys, groups, targets, probabilities)


def scorer(predictions: Predictions, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Score as a single label is, and the ranking of the last class as well."""
    scores = single_label_scores(predictions, weights)
    rare = predictions.targets == len(SHARES) - 1
    (area,) = rank_measures(predictions.probabilities[:, -1], rare, weights, roc_area)
    wanted = {name: scores[name] for name in ("balanced_accuracy", "macro_f1")}
    return {**wanted, "auroc": area}


def gaps(
    design: Design, rows: int, pairs: int, replicates: int, gap: float = 0.0
) -> Iterator[dict[str, Gap]]:
    """Yield the gap of each score of each pair, as `transfer compare` finds it."""
    for seed in range(pairs):
        both = pair(design, rows, seed, gap)
        own = [points(said, scorer) for said in both]
        draws = resampled_scores(both, scorer, replicates=replicates, seed=seed)
        swapped = swapped_gaps([both], scorer, replicates=replicates, seed=seed)
        yield {
            name: gap_of_models(
                name,
                (own[0][name], own[1][name]),
                draws[1][name] - draws[0][name],
                swapped[name],
                rows=rows,
                groups=len(np.unique(both[0].groups)),
            )
            for name in own[0]
        }


def recipe_gaps(rows: int, pairs: int, replicates: int, gap: float = 0.0) -> Iterator[Gap]:
    """Yield the gap in balanced accuracy of five networks of each of two recipes."""
    for seed in range(pairs):
        generator = np.random.default_rng([seed, rows])
        targets = generator.choice(len(SHARES), size=rows, p=SHARES)
        shared = generator.normal(0, np.sqrt(OF_ROW), rows)
        runs = [
            _answers(
                targets,
                np.arange(rows),
                NormalDist().inv_cdf(right)
                + shared
                + generator.normal(0, LUCK)
                + generator.normal(0, np.sqrt(1 - OF_ROW), rows),
                generator,
            )
            for right in (RIGHT, RIGHT + gap)
            for _ in range(SEEDS)
        ]
        draws = resampled_scores(runs, scorer, replicates=replicates, seed=seed)
        values = np.array([points(said, scorer)["balanced_accuracy"] for said in runs])
        of_score = np.stack([draw["balanced_accuracy"] for draw in draws])
        found = gap_of_recipes(
            "balanced_accuracy",
            (values[:SEEDS], values[SEEDS:]),
            (of_score[:SEEDS], of_score[SEEDS:]),
            groups=rows,
        )
        yield replace(found, corrected=found.p)


def expected(pairs: int, share: float) -> tuple[int, int]:
    """Return the ends between which a count of `pairs` lies in 95 of 100 cases."""
    low, high = stats.binom.interval(0.95, pairs, share)
    return int(low), int(high)


def power(found: list[Gap]) -> float:
    """Return how often such gaps should be seen, by how far apart they are from pair to pair."""
    differences = [one.difference for one in found]
    distance = float(abs(np.mean(differences)) / np.std(differences))
    return NormalDist().cdf(distance - NormalDist().inv_cdf(0.975))


def line(name: str, score: str, found: list[Gap], gap: float) -> str:
    """Return one line of the table."""
    by_p = sum(one.p <= 0.05 for one in found)
    outside = sum(not one.low <= gap <= one.high for one in found)
    both = sum(one.is_reliable for one in found)
    low, high = expected(len(found), power(found) if gap else 0.05)
    return f"| {name} | {score} | {100 * gap:g} | {by_p} | {low} to {high} | {both} | {outside} |"


def main() -> None:
    """Print how many of the pairs come out as different."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=400, help="1,000 where there is a difference")
    parser.add_argument("--replicates", type=int, default=999)
    parser.add_argument("--recipes", action="store_true", help="recipes alone")
    asked = parser.parse_args()
    print(f"of {asked.pairs} pairs\n")
    print(
        "| pairs | score | gap, points | p <= 0.05 | expected | reliable | gap outside interval |"
    )
    print("|---|---|---|---|---|---|---|")
    if asked.recipes:
        for gap in (0.0, 0.03):
            found = list(recipe_gaps(asked.rows, asked.pairs, asked.replicates, gap))
            print(line("recipes", "balanced_accuracy", found, gap), flush=True)
        return
    for name, design in DESIGNS.items():
        for gap, rows in ((0.0, asked.rows), (0.03, 1000)):
            found = list(gaps(design, rows, asked.pairs, asked.replicates, gap))
            for score in ("balanced_accuracy",) if gap else found[0]:
                of_score = [one[score] for one in found]
                print(line(name, score, of_score, gap), flush=True)


if __name__ == "__main__":
    main()

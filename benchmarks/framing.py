"""What each framing tells a network of the shape of a picture: a shortcut, where hospitals differ.

    python benchmarks/framing.py DATA                  # nine probes; minutes
    python benchmarks/framing.py DATA --framings pad squash

DATA holds class folders of square pictures, of which `split.csv` (`image,label,group,split`) names
train and val; test rows are not read. Each picture is cut to a field of view of its own, as a
radiographer would: wide (rows are lost) or tall (columns are), 65 to 90 percent of the side. Then:

    even       the shape means nothing, in train and in val: what the framing costs
    shortcut   in train nine of ten pictures of the last class are wide, nine of ten others tall; in
               val the shape means nothing: what a network loses that leant on it
    shape      the label is the shape itself: how plainly it can be read; 0.5 would hide it

Every figure is the AUROC of a probe on val, with the starter weights at 64 px.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import roc_auc_score

import transfer

FRAMINGS = ("crop", "pad", "squash")
SCENES = {"even": (0.5, 0.5), "shortcut": (0.9, 0.5), "shape": (0.5, 0.5)}
"""How often a picture of the last class is wide, and one of another class tall: train, val."""


def write(data: Path, folder: Path, scene: str) -> Path:
    """Write the pictures of a scene, each with a shape, and return their table."""
    rows = pd.read_csv(data / "split.csv", dtype=str)
    rows = rows[rows["split"].isin(["train", "val"])].reset_index(drop=True)
    rng = np.random.default_rng(0)
    expected = np.where(rows["split"] == "train", *SCENES[scene])
    last = (rows["label"] == rows["label"].max()).to_numpy()
    wide = (rng.random(len(rows)) < expected) == last
    shares = rng.uniform(0.65, 0.9, len(rows))
    for image, is_wide, share in zip(rows["image"], wide, shares, strict=True):
        place = folder / image
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(data / image) as picture:
            width, height = picture.size
            lost = round((1 - share) * (height if is_wide else width) / 2)
            box = (0, lost, width, height - lost) if is_wide else (lost, 0, width - lost, height)
            picture.crop(box).save(place, quality=95)
    if scene == "shape":
        rows["label"] = np.where(wide, "wide", "tall")
    table = folder / "table.csv"
    rows.to_csv(table, index=False)
    return table


def area_on_val(table: Path, framing: str, runs: Path) -> float:
    """Return the AUROC of the last class on val, of a probe."""
    settings = {"framing": framing, "machine": {"threads": 1}}
    result = transfer.fit(
        "labelled_images", table, strategy="probe", weights="starter", size=64, out=runs,
        settings=settings,
    )  # fmt: skip
    said = result.said["val"]
    last = len(said.classes) - 1
    return float(roc_auc_score(said.targets == last, said.probabilities[:, last]))


def main() -> None:
    """Run the probes and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--framings", nargs="+", choices=FRAMINGS, default=FRAMINGS)
    parser.add_argument("--scenes", nargs="+", choices=[*SCENES], default=[*SCENES])
    asked = parser.parse_args()
    print(f"| framing | {' | '.join(asked.scenes)} |\n|---|{'---|' * len(asked.scenes)}")
    with tempfile.TemporaryDirectory() as folder:
        tables = {scene: write(asked.data, Path(folder, scene), scene) for scene in asked.scenes}
        for framing in asked.framings:
            areas = [area_on_val(tables[s], framing, Path(folder, "runs")) for s in asked.scenes]
            print(f"| {framing} | {' | '.join(f'{area:.3f}' for area in areas)} |", flush=True)


if __name__ == "__main__":
    main()

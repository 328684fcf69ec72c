"""Does `transfer audit` find planted copies, and what does it say of a set as it is?

    python benchmarks/audit.py DATA [--each 50]
    python benchmarks/audit.py --scale 100000

The first prints recall for each kind of copy, 50 of each planted beside the pictures of DATA (class
folders or a table of files that PIL reads), and the share of rows flagged in DATA as it is. The
second times the search among drawn sketches, with the memory that it takes.
"""

import argparse
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from transfer.auditing.audit import audit
from transfer.auditing.near import near_duplicates
from transfer.auditing.sketches import SIDE_PX
from transfer.cli.console import Terminal
from transfer.overlay import Layer
from transfer.plugin.discovery import load_task
from transfer.samples.manifest import Manifest

QUALITY, HIGH_QUALITY, SMALLER, PART, LIGHT = 60, 95, 0.7, 0.9, 0.2


def as_is(picture: Image.Image, place: Path, _: np.random.Generator) -> None:
    """Save it as it is, without loss."""
    picture.save(place.with_suffix(".png"))


def jpeg(picture: Image.Image, place: Path, _: np.random.Generator) -> None:
    """Save it as JPEG of quality 60."""
    picture.save(place.with_suffix(".jpg"), quality=QUALITY)


def smaller(picture: Image.Image, place: Path, _: np.random.Generator) -> None:
    """Save it at 0.7 of its size."""
    sides = tuple(max(1, round(side * SMALLER)) for side in picture.size)
    picture.resize(sides, Image.Resampling.BILINEAR).save(place.with_suffix(".png"))


def mirrored(picture: Image.Image, place: Path, _: np.random.Generator) -> None:
    """Save it mirrored."""
    turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned.save(place.with_suffix(".png"))


def cut(picture: Image.Image, place: Path, random: np.random.Generator) -> None:
    """Save 90 % of each side, from anywhere, as JPEG of quality 95."""
    width, height = (round(side * PART) for side in picture.size)
    left = int(random.integers(picture.width - width + 1))
    top = int(random.integers(picture.height - height + 1))
    part = picture.crop((left, top, left + width, top + height))
    part.save(place.with_suffix(".jpg"), quality=HIGH_QUALITY)


def light(picture: Image.Image, place: Path, random: np.random.Generator) -> None:
    """Save it 20 % darker or brighter, as JPEG of quality 95."""
    factor = 1 + LIGHT * float(random.choice([-1, 1]))
    pixels = np.clip(np.rint(np.asarray(picture, np.float32) * factor), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(place.with_suffix(".jpg"), quality=HIGH_QUALITY)


KINDS = {
    "exact": as_is, "JPEG 60": jpeg, "0.7 of its size": smaller, "mirrored": mirrored,
    "90 % of it": cut, "light +-20 %": light,
}  # fmt: skip


def main() -> None:
    """Print recall and the share of rows flagged, or the time of a large search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--each", type=int, default=50, help="copies of each kind")
    parser.add_argument("--scale", type=int, help="sketches to search instead")
    asked = parser.parse_args()
    if asked.scale is not None:
        scale(asked.scale)
        return
    task = load_task("labelled_images")
    manifest = task.read_manifest(asked.data, task.settings)
    flagged = found(asked.data)
    rows = {row for pair in flagged for row in pair}
    share = len(rows) / len(manifest)
    print(f"as it is: {len(rows)} of {len(manifest)} rows flagged ({share:.2%})")
    with TemporaryDirectory() as folder:
        planted = plant(manifest, Path(folder), asked.each)
        pairs = found(Path(folder))
    print("| kind | found of planted | recall |\n|---|---|---|")
    for kind, wanted in planted.items():
        hits = sum(pair in pairs for pair in wanted)
        print(f"| {kind} | {hits} of {len(wanted)} | {hits / len(wanted):.0%} |")


def plant(manifest: Manifest, folder: Path, each: int) -> dict[str, list[frozenset[str]]]:
    """Write the pictures and copies of some; return the pairs of each kind, by file stem."""
    random = np.random.default_rng(0)
    for number in range(len(manifest)):
        row = manifest.row(number)
        place = folder / row.label / f"{number:06}{row.path.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(row.path.absolute())
    pairs: dict[str, list[frozenset[str]]] = {kind: [] for kind in KINDS}
    for serial, (kind, save) in enumerate(KINDS.items()):
        for number in random.choice(len(manifest), each, replace=False).tolist():
            row, copy = manifest.row(number), f"copy{serial}-{number:06}"
            picture = Image.open(row.path)
            picture = picture if picture.mode in {"L", "RGB"} else picture.convert("RGB")
            save(picture, folder / row.label / copy, random)
            pairs[kind].append(frozenset({f"{number:06}", copy}))
    return pairs


def found(data: Path) -> set[frozenset[str]]:
    """Return the pairs that an audit takes for one picture, by file stem."""
    task = load_task("labelled_images")
    seen = audit(
        task,
        data,
        [Layer("benchmark", {"weights": "starter", "size": 64})],
        find_model=Path,
        progress=Terminal(),
        with_network=False,
    ).found
    pairs = [(pair.first.image, pair.second.image) for pair in seen.copies]
    pairs += [(a.image, b.image) for rows in seen.equals for a in rows for b in rows if a != b]
    return {frozenset({Path(a).stem, Path(b).stem}) for a, b in pairs}


def scale(rows: int) -> None:
    """Time the search among drawn sketches, one in a hundred a noisy copy of another."""
    random = np.random.default_rng(0)
    sketches = np.empty((rows, SIDE_PX, SIDE_PX), np.uint8)
    for row in range(rows):
        coarse = np.kron(random.normal(size=(8, 8)), np.ones((8, 8)))
        picture = 128 + 40 * coarse + random.normal(0, 12, (SIDE_PX, SIDE_PX))
        sketches[row] = np.clip(picture, 0, 255)
    copies = np.arange(0, rows - 50, 100)
    noise = random.normal(0, 3, (len(copies), SIDE_PX, SIDE_PX))
    noisy = sketches[copies].astype(np.float32) + noise
    sketches[copies + 50] = np.clip(noisy, 0, 255).astype(np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, used = time.perf_counter(), time.process_time()
    near = near_duplicates(sketches, 0, Terminal())
    took, worked = time.perf_counter() - began, time.process_time() - used
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    print(
        f"{rows:,} sketches: {took:.0f} s, {worked:.0f} s of processor, {more:.2f} GB more memory, "
        f"{len(near.pairs):,} pairs"
    )


if __name__ == "__main__":
    main()

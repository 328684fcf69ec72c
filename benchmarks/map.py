"""How long the map of a scene takes, and how much memory, however large the scene is.

    python benchmarks/map.py                                  # 10,000 x 10,000 px of four bands
    python benchmarks/map.py --side 2000 4000 --stride 16 --resolution scene

Chips of four bands are drawn and learned from (a probe), scenes are laid out of others in fields of
one class, and `transfer map` draws their maps in processes of its own. Memory is what that process
holds for itself at its peak; most of it is the interpreter with torch, so what counts is whether it
grows with the scene. How many cells in the middle of a field are named right says that the map is
one; nothing else does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from tasks.satellite_vegetation.landcover import DRAW
from tasks.satellite_vegetation.samples import SIZE, WHITE, draw_chip
from transfer import fit

BANDS = ("B2", "B3", "B4", "B8A")
FIELD = 4  # chips along the side of a field of one class
TRAIN, LAID = range(1, 31), range(101, 121)  # numbers of the chips learned from, and of the others
_READ_EVERY_SECONDS = 0.05


def four_bands(name: str, number: int) -> NDArray[np.uint16]:
    """Return a drawn chip as Sentinel-2 stores it, (4, 64, 64); what is green is bright beyond."""
    red, green, blue = draw_chip(name, number, seed=0).transpose(2, 0, 1) / 255 * WHITE
    beyond = np.clip(green + 3 * (green - red) + 0.1 * (green > blue), 0, 1)
    return np.rint(np.stack([blue, green, red, beyond]) * 10_000).astype(np.uint16)


def write(path: Path, bands: int, height: int, width: int) -> "rasterio.io.DatasetWriter":
    """Open a GeoTIFF for writing, 10 m a pixel, somewhere in UTM zone 32."""
    return rasterio.open(
        path, "w", driver="GTiff", count=bands, height=height, width=width, dtype="uint16",
        crs="EPSG:32632", transform=from_origin(500_000, 5_400_000, 10, 10), nodata=65_535,
        tiled=height > SIZE, compress="deflate", zlevel=1, bigtiff="if_safer",
    )  # fmt: skip


def write_chips(folder: Path) -> None:
    """Write the chips to learn from, in class folders."""
    for name in DRAW:
        (folder / name).mkdir(parents=True)
        for number in TRAIN:
            with write(folder / name / f"{number}.tif", 4, SIZE, SIZE) as file:
                file.write(four_bands(name, number))
                file.descriptions = BANDS


def write_scene(path: Path, side: int) -> NDArray[np.int64]:
    """Write a scene of fields; return the number of the class of each field, from 1."""
    rng = np.random.default_rng(0)
    chips = [[four_bands(name, number) for number in LAID] for name in DRAW]
    field = FIELD * SIZE
    fields = -(-side // field)
    classes = rng.integers(0, len(DRAW), (fields, fields))
    with write(path, 4, side, side) as file:
        file.descriptions = BANDS
        for row in range(fields):
            land = np.empty((4, field, fields * field), np.uint16)
            for down in range(FIELD):
                for column in range(fields * FIELD):
                    chip = chips[classes[row, column // FIELD]][rng.integers(len(LAID))]
                    top, left = down * SIZE, column * SIZE
                    land[:, top : top + SIZE, left : left + SIZE] = chip
            high = min(field, side - row * field)
            window = ((row * field, row * field + high), (0, side))
            file.write(land[:, :high, :side], window=window)
    return classes + 1


def mapped(
    run: str, store: Path, scene: Path, out: Path, options: list[str]
) -> tuple[float, float]:
    """Draw a map in a process of its own; return its seconds, and its memory at the peak in GB."""
    command = [sys.executable, "-m", "transfer", "map", run, str(scene), str(out)]
    began, highest = time.perf_counter(), 0
    with subprocess.Popen([*command, "--store", str(store), *options]) as process:
        seen = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                used = seen.memory_info()
            except psutil.NoSuchProcess:
                break
            highest = max(highest, used.rss - used.shared)
            time.sleep(_READ_EVERY_SECONDS)
    if process.returncode:
        sys.exit(process.returncode)
    return time.perf_counter() - began, highest / 1e9


def right_in_fields(out: Path, classes: NDArray[np.int64], side: int) -> float:
    """Return the share of cells right, of those whose windows all lie within one field."""
    with rasterio.open(out) as file:
        told, cell = file.read(1), side / file.width
    middles = (np.arange(told.shape[0]) + 0.5) * cell
    field = FIELD * SIZE
    numbers, inside = (middles // field).astype(int), abs(middles % field - field / 2) < SIZE / 2
    truth = classes[np.ix_(numbers, numbers)]
    counted = np.outer(inside, inside)
    return float((told == truth)[counted].mean())


def main() -> None:
    """Draw the maps and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", nargs="+", type=int, default=[10_000], help="of scenes, px")
    parser.add_argument("--backbone", default="resnet10t")
    parser.add_argument("--weights", default="starter")
    parser.add_argument("--stride", default="32")
    parser.add_argument("--resolution", default="stride", choices=["stride", "scene"])
    asked = parser.parse_args()
    options = ["--stride", asked.stride, "--resolution", asked.resolution]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRANSFER_CACHE"] = str(Path(folder, "cache"))
        chips, store, scene, out = (Path(folder, n) for n in ("chips", "runs", "s.tif", "map.tif"))
        write_chips(chips)
        settings = {"bands": BANDS, "stem": "mean", "strategy": "probe", "task": {"block_m": 0}}
        network = {"backbone": asked.backbone, "weights": asked.weights, "name": "mapper"}
        fit("satellite_vegetation", chips, settings=settings, out=store, **network)
        for side in asked.side:
            classes = write_scene(scene, side)
            seconds, peak = mapped("mapper", store, scene, out, options)
            right, size = right_in_fields(out, classes, side), out.stat().st_size / 1e6
            lines.append(
                f"| {side:,} | {seconds / 60:.1f} | {peak:.2f} | {size:.1f} | {right:.2f} |"
            )
    print(
        f"\n{asked.backbone}, stride {asked.stride} px, a pixel of the map each {asked.resolution}"
    )
    print("| side, px | minutes | peak GB | map, MB | right in fields |\n|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

"""A probe against ten epochs over a frozen backbone, on pictures like those of a camera.

    python benchmarks/probe.py                                           # ours, and its parts
    python benchmarks/probe.py --lightning ENVIRONMENT/bin/python        # beside Lightning
    python benchmarks/probe.py --lightning PYTHON --epochs 1             # nine more, reckoned

1,000 JPEGs of about 500 x 375 px, resnet50 at 224 px, random weights (no time depends on them).
Ours is `transfer fit --strategy probe`, with nothing kept from before: the files are looked at,
each row goes through the backbone once, a head is fitted and scored. Lightning runs at its defaults
as its pages on transfer learning say: features under no_grad in the training step, the usual
augmentation, two loader processes. Where fewer than ten of its epochs are run, the table says so.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from training_step import jpeg

CLASSES, EPOCHS = 10, 10
_OURS = """
import json, sys, time
began = time.perf_counter()
parts, last = {}, began

def part(owner, name, what):
    call = getattr(owner, name)
    def timed(*args, **options):
        start = time.perf_counter()
        try:
            return call(*args, **options)
        finally:
            parts[what] = parts.get(what, 0.0) + time.perf_counter() - start
    setattr(owner, name, timed)

import transfer.start
import transfer.experiment as experiment
from transfer import rows
from transfer.finetuning import features, probing
from transfer.pixels.cache import Pictures
parts["imports"] = time.perf_counter() - began
part(transfer.start, "prepared", "looking at the files")
part(Pictures, "__getitem__", "reading")
part(features, "_embed", "features")
part(probing, "fit_head", "head")
part(experiment, "_scored", "scores and figures")
transfer.start.fit("labelled_images", sys.argv[1], strategy="probe", backbone=sys.argv[3],
                   weights="none", size=224, batch_size=32, out=sys.argv[2])
whole = time.perf_counter() - began
print(json.dumps({**parts, "everything else": whole - sum(parts.values()), "whole": whole}))
"""
_LIGHTNING = """
import json, sys, time
began = time.perf_counter()
import lightning, torch, torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

class Transfer(lightning.LightningModule):
    def __init__(self, name, classes):
        super().__init__()
        backbone = getattr(torchvision.models, name)(weights=None)
        self.classifier = nn.Linear(backbone.fc.in_features, classes)
        self.features = nn.Sequential(*list(backbone.children())[:-1])
    def forward(self, pixels):
        self.features.eval()
        with torch.no_grad():
            found = self.features(pixels).flatten(1)
        return self.classifier(found)
    def training_step(self, batch, number):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss
    def validation_step(self, batch, number):
        self.log("right", (self(batch[0]).argmax(1) == batch[1]).float().mean())
    def configure_optimizers(self):
        return torch.optim.Adam(self.classifier.parameters(), 1e-3)

norm = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
views = T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.ToTensor(), norm])
plain = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), norm])
data, name, epochs, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
options = {"num_workers": 2, "persistent_workers": True}
train = ImageFolder(data + "/train", views)
val = ImageFolder(data + "/val", plain)
model = Transfer(name, len(train.classes))
trainer = lightning.Trainer(accelerator="cpu", max_epochs=epochs, default_root_dir=out)
fitting = time.perf_counter()
trainer.fit(model, DataLoader(train, 32, shuffle=True, **options), DataLoader(val, 32, **options))
ended = time.perf_counter()
print(json.dumps({"start": fitting - began, "epochs": ended - fitting, "whole": ended - began}))
"""


def run(python: str, code: str, *arguments: object) -> dict[str, float]:
    """Return what a program prints last: seconds by part."""
    command = [python, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def draw(folder: Path, pictures: int) -> None:
    """Write class folders of train, val and test, 70, 15 and 15 percent."""
    for number in range(pictures):
        share = number / pictures
        split = "train" if share < 0.7 else "val" if share < 0.85 else "test"
        place = folder / split / f"class_{number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(jpeg(number, (375, 500)))


def main() -> None:
    """Measure ours, Lightning where it is, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lightning", metavar="PYTHON", help="of an environment that has it")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of Lightning that are run")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--backbone", default="resnet50")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRANSFER_CACHE"] = str(Path(folder, "cache"))
        data = Path(folder, "pictures")
        draw(data, asked.pictures)
        ours = run(sys.executable, _OURS, data, Path(folder, "runs"), asked.backbone)
        print(f"| {asked.pictures} pictures, {asked.backbone} at 224 px | seconds |\n|---|---|")
        for part, seconds in ours.items():
            print(f"| ours: {part} | {seconds:.1f} |")
        if asked.lightning is None or not Path(asked.lightning).exists():
            print("Lightning: no --lightning PYTHON; left out", file=sys.stderr)
            return
        out = Path(folder, "lightning")
        peer = run(asked.lightning, _LIGHTNING, data, asked.backbone, asked.epochs, out)
        ten = peer["start"] + peer["epochs"] * EPOCHS / asked.epochs
        how = "" if asked.epochs == EPOCHS else f", {asked.epochs} measured, the rest reckoned"
        print(f"| Lightning: {EPOCHS} epochs{how} | {ten:.1f} |")
        print(f"| Lightning / ours | {ten / ours['whole']:.1f} |")


if __name__ == "__main__":
    main()

"""One epoch of fine-tuning all weights, beside other libraries as their pages say.

    python benchmarks/against_peers.py                                     # ours alone
    python benchmarks/against_peers.py --peer lightning=PYTHON --peer fastai=PYTHON

Each peer has an environment of its own; PYTHON is that one's interpreter, and one that is not there
is passed over. The same JPEGs of about 500 x 375 px, the same model and size, batches of 32, random
weights, no download. All at their defaults: none is told which precision or memory format to take.
Images a second are training rows over the seconds of the whole epoch, its reading and its look at
val included, imports left out. Ours count from the call on, as that is when it decodes the files:
the store, the look at every file and the record are in its seconds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from training_step import jpeg

CLASSES = 10
# Each prints the seconds of its epoch last; arguments: folder of train/ and val/, model, out.
_OURS = """
import json, sys, time
import transfer.experiment as experiment, transfer.start
learn = experiment.learn
def timed(*args):
    try:
        return learn(*args)
    finally:
        seconds.append(time.perf_counter() - began)
seconds, experiment.learn, began = [], timed, time.perf_counter()
transfer.start.fit("labelled_images", sys.argv[1], backbone=sys.argv[2], weights="none",
                   strategy="finetune", epochs=1, size=224, batch_size=32, out=sys.argv[3])
print(json.dumps(seconds[0]))
"""
_LIGHTNING = """
import json, sys, time
import lightning, torchvision
from torch import optim
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

class Classifier(lightning.LightningModule):
    def __init__(self, name, classes):
        super().__init__()
        self.model = getattr(torchvision.models, name)(weights=None, num_classes=classes)
    def training_step(self, batch, number):
        loss = F.cross_entropy(self.model(batch[0]), batch[1])
        self.log("loss", loss)
        return loss
    def validation_step(self, batch, number):
        self.log("right", (self.model(batch[0]).argmax(1) == batch[1]).float().mean())
    def configure_optimizers(self):
        return optim.Adam(self.parameters(), 1e-3)

norm = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
views = T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.ToTensor(), norm])
plain = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), norm])
train = ImageFolder(sys.argv[1] + "/train", views)
val = ImageFolder(sys.argv[1] + "/val", plain)
trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, default_root_dir=sys.argv[3])
model = Classifier(sys.argv[2], len(train.classes))
began = time.perf_counter()
trainer.fit(model, DataLoader(train, 32, shuffle=True, num_workers=2),
            DataLoader(val, 32, num_workers=2))
print(json.dumps(time.perf_counter() - began))
"""
_FASTAI = """
import json, sys, time
import torch, torchvision
from fastai.vision.all import (ImageDataLoaders, Resize, aug_transforms, error_rate, vision_learner)

data = ImageDataLoaders.from_folder(
    sys.argv[1], train="train", valid="val", bs=32, num_workers=2, device=torch.device("cpu"),
    item_tfms=Resize(460), batch_tfms=aug_transforms(size=224))
architecture = getattr(torchvision.models, sys.argv[2])
learner = vision_learner(data, architecture, pretrained=False, metrics=error_rate)
began = time.perf_counter()
learner.fit_one_cycle(1)
print(json.dumps(time.perf_counter() - began))
"""
_TRANSFORMERS = """
import json, sys, time
import torch
from datasets import load_dataset
from torchvision import transforms as T
from transformers import ResNetConfig, ResNetForImageClassification, Trainer, TrainingArguments

shapes = {
    "resnet18": {"depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512],
                 "layer_type": "basic"},
    "resnet50": {"depths": [3, 4, 6, 3], "hidden_sizes": [256, 512, 1024, 2048],
                 "layer_type": "bottleneck"},
}
norm = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
view = T.Compose([T.RandomResizedCrop((224, 224)), T.ToTensor(), norm])
files = {split: f"{sys.argv[1]}/{split}/**" for split in ("train", "val")}

def viewed(rows):
    return {"label": rows["label"], "pixel_values": [view(one.convert("RGB"))
                                                      for one in rows["image"]]}
def collated(rows):
    return {"pixel_values": torch.stack([row["pixel_values"] for row in rows]),
            "labels": torch.tensor([row["label"] for row in rows])}

data = load_dataset("imagefolder", data_files=files, cache_dir=sys.argv[3]).with_transform(viewed)
classes = data["train"].features["label"].num_classes
model = ResNetForImageClassification(ResNetConfig(num_labels=classes, **shapes[sys.argv[2]]))
settings = TrainingArguments(
    output_dir=sys.argv[3], remove_unused_columns=False, eval_strategy="epoch", save_strategy="no",
    per_device_train_batch_size=32, per_device_eval_batch_size=32, num_train_epochs=1,
    dataloader_num_workers=2, use_cpu=True, report_to="none")
trainer = Trainer(model=model, args=settings, data_collator=collated, train_dataset=data["train"],
                  eval_dataset=data["val"])
began = time.perf_counter()
trainer.train()
print(json.dumps(time.perf_counter() - began))
"""
PEERS = {"lightning": _LIGHTNING, "fastai": _FASTAI, "transformers": _TRANSFORMERS}


def seconds_of(python: str, code: str, data: Path, model: str, out: Path) -> float:
    """Return the seconds of an epoch in an interpreter of its own."""
    command = [python, "-c", code, str(data), model, str(out)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def draw(folder: Path, rows: dict[str, int]) -> None:
    """Write so many JPEGs a split, in class folders."""
    for split, count in rows.items():
        for number in range(count):
            place = folder / split / f"class_{number % CLASSES}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.jpg").write_bytes(jpeg(number, (375, 500)))


def main() -> None:
    """Measure ours and every peer that is there, by turns, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--model", choices=("resnet18", "resnet50"), default="resnet18")
    parser.add_argument("--pictures", type=int, default=800, help="to train on; a fifth more: val")
    asked = parser.parse_args()
    programs = {"ours": (sys.executable, _OURS)}
    for name, _, python in (peer.partition("=") for peer in asked.peer):
        if name not in PEERS:
            parser.error(f"--peer {name}: there is no such peer; there are {', '.join(PEERS)}")
        if Path(python).exists():
            programs[name] = (python, PEERS[name])
        else:
            print(f"{name}: no {python!r}; passed over", file=sys.stderr)
    print(f"| {asked.model} at 224 px | images/s | ours / this |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRANSFER_CACHE"] = str(Path(folder, "cache"))
        data = Path(folder, "pictures")
        draw(data, {"train": asked.pictures, "val": asked.pictures // 5})
        speeds: dict[str, float] = {}
        for name, (python, code) in programs.items():
            spent = seconds_of(python, code, data, asked.model, Path(folder, name))
            speeds[name] = asked.pictures / spent
            print(f"| {name} | {speeds[name]:.1f} | {speeds['ours'] / speeds[name]:.2f} |")


if __name__ == "__main__":
    main()

"""Pictures of rows, found again by what is in them."""

import base64
import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.comparing.thumbnails import SIDE_PX, thumbnails
from transfer.plan import read_rows
from transfer.progress import Silent
from transfer.tracking.runs import find_run


class Warned(Silent):
    def __init__(self):
        self.lines = []

    def warn(self, line):
        self.lines.append(line)


@pytest.fixture
def run(store, stored, answers, class_folders, own_caches):
    """A run about pictures that are there."""
    data = class_folders({"cat": 3, "dog": 3})
    stored("a", {"val": answers(1)}, data=str(data))
    return find_run(store, "a")


def test_a_picture_is_found_where_the_run_read_it(store, run):
    task = transfer.load_task("labelled_images")
    manifest = read_rows(task, task.defaults(), Path(run.data), Silent()).manifest
    keys = manifest.rows["key"].tolist()[:2]

    pictures = thumbnails(store, run, task, keys, Silent())

    for number, key in enumerate(keys):
        content = base64.b64decode(pictures[key].removeprefix("data:image/png;base64,"))
        shown = np.asarray(Image.open(io.BytesIO(content)))
        assert shown.shape == (SIDE_PX, SIDE_PX, 3)
        pixels = task.reader(task.settings)(manifest.row(number))
        assert shown.mean() == pytest.approx(pixels.mean(), abs=3)


def test_pictures_that_have_gone_are_said(store, run):
    task, told = transfer.load_task("labelled_images"), Warned()
    assert thumbnails(store, run, task, ["no such key"], told) == {}
    assert told.lines[-1] == f"1 row(s) are no longer among the data at {run.data!r}"
    shutil.rmtree(run.data)
    assert thumbnails(store, run, task, ["key"], told) == {}
    assert told.lines[-1].startswith("no pictures: the data of 'a' are no longer at ")
    assert thumbnails(store, replace(run, data=""), task, ["key"], told) == {}

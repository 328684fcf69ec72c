from pathlib import Path

import pytest

from tasks.driving_objects.gtsrb import read_signs
from transfer.errors import ManifestError
from transfer.images.crop import Box

HEADER = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"


def test_a_line_is_a_sign_and_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "00014").mkdir()
    table = tmp_path / "00014/GT-00014.csv"
    table.write_text(HEADER + "00000_00000.ppm;29;30;5;6;24;25;14\n")
    (sign,) = read_signs(tmp_path, [table])
    assert sign == ("00014/00000_00000.ppm", "00014", Box(5, 6, 24, 25))


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    table, other = tmp_path / "GT-00001.csv", tmp_path / "GT-00002.csv"
    table.write_text(HEADER + "a.ppm;29;30;5;6;24;wide;14\nb.ppm;29;30;5;6;24;25;stop\nc.ppm;29\n")
    other.write_text("Filename,Width\n")
    with pytest.raises(ManifestError) as caught:
        read_signs(tmp_path, [table, other])
    message = str(caught.value)
    assert "'GT-00001.csv', line 2: the box" in message
    assert "'GT-00001.csv', line 3: invalid literal" in message
    assert "'GT-00001.csv', line 4" in message
    assert "'GT-00002.csv'" in message
    assert "Roi.X1" in message

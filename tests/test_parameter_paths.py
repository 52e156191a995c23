"""Parameters that name files: a step runs in a folder of its own, so the command says where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.workflow.catalog import locate_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("data/a.csv", "stones.csv", "with space é.csv", "iris"):
        (tmp_path / name).write_text("x\n")
    return tmp_path


@pytest.mark.parametrize("value", ["stones.csv", "data/a.csv", "./stones.csv", "data/*.csv", "with space é.csv"])
def test_file_of_this_folder_becomes_absolute(folder: Path, value: str) -> None:
    assert locate_files({"data-source": value}, folder) == {"data-source": str(folder / value)}


@pytest.mark.parametrize(
    "value", ["iris", "0.9", "missing.csv", "data", "data/", "none-*.csv", "https://host/stones.csv", '{"a": 1.5}', ""]
)
def test_any_other_value_stays_as_it_is(folder: Path, value: str) -> None:
    assert locate_files({"x": value}, folder) == {"x": value}


def test_absolute_path_stays_as_it_is(folder: Path) -> None:
    path = str(folder / "stones.csv")
    assert locate_files({"x": path}, folder) == {"x": path}


def test_text_that_no_path_can_be_is_no_error(folder: Path) -> None:
    values = {"long": "a." * 5000, "nul": "a.\0b", "name": "n." + "x" * 300}
    assert locate_files(values, folder) == values

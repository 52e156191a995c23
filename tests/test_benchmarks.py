"""What the benchmarks promise without running them: no timing is asserted here."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import by_hand
from benchmarks.contest import GROUPS
from benchmarks.controller import list_values
from benchmarks.figure import Figure, Skipped, markdown
from benchmarks.ground import ROOT, Project, clean_environment
from benchmarks.page import read_sections, write_page
from benchmarks.race import Contender, race
from benchmarks.site import open_site
from benchmarks.wide import ROW, write_wide


def contender(name: str, log: Path, code: int = 0) -> Contender:
    script = f"import sys; open({str(log)!r}, 'a').write({name!r}); sys.exit({code})"
    return Contender(name=name, argv=(sys.executable, "-c", script), cwd=log.parent, env=clean_environment())


def test_contenders_run_in_turn_and_warm_up_is_not_counted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    times = race((contender("a", log), contender("b", log)), rounds=2, warmups=1)
    assert log.read_text() == "baabba"
    assert {name: len(taken.seconds) for name, taken in times.items()} == {"a": 2, "b": 2}


def test_contender_that_fails_ends_the_race(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="b: exit code 3"):
        race((contender("b", tmp_path / "log", code=3),), rounds=1)


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure(what="x", ours=1, beside=2, limit=0.5), "ok"),
        (Figure(what="x", ours=1.1, beside=2, limit=0.5), "miss"),
        (Figure(what="x", ours=0.2, limit=0.15, absolute=True), "miss"),
        (Figure(what="x", ours=0.1, beside=9, limit=0.15, absolute=True), "ok"),
        (Figure(what="x", ours=1, beside=2), ""),
    ],
)
def test_verdict_follows_from_the_figures(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict
    assert figure.cells()[-1] == verdict


def test_table_has_one_row_for_each_figure() -> None:
    rows = markdown([Figure(what="x", ours=1, beside=2, beside_name="y"), Figure(what="z", ours=1)]).splitlines()
    assert len(rows) == 4
    assert "| x | 1.000 s | y 2.000 s | 0.50 |  |  |" in rows


@pytest.mark.parametrize("nodes", [1, ROW, 95, 1000])
def test_wide_workflow_has_the_steps_it_was_asked_for(tmp_path: Path, nodes: int) -> None:
    tasks = yaml.safe_load(write_wide(tmp_path, nodes).read_text())["spec"]["templates"][0]["dag"]["tasks"]
    assert [task["name"] for task in tasks] == [f"n{index}" for index in range(nodes)]
    assert sum("dependencies" not in task for task in tasks) == min(nodes, ROW)


def test_scripts_by_hand_are_the_workflows_own_steps(tmp_path: Path) -> None:
    clear, *lines = by_hand.write_script(Project(tmp_path)).read_text().splitlines()
    assert clear == "rm -rf out && mkdir out"
    assert [Path(line.split()[1]).stem.replace("_", "-") for line in lines] == list(by_hand.STEPS)
    assert not [line for line in lines if "{{" in line or "/mnt/" in line]


def test_a_section_is_written_anew_and_the_others_stay() -> None:
    page = write_page({"bench": "one\n\n| a |", "bench-cluster": "two"}, "Method.\n")
    sections = read_sections(page)
    assert sections == {"bench": "one\n\n| a |", "bench-cluster": "two"}
    assert write_page(sections, "Method.\n") == page
    assert read_sections((ROOT / "docs" / "benchmarks.md").read_text()).keys() <= GROUPS.keys()


def test_each_target_of_make_is_a_group_of_contests() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{group}:", makefile, re.MULTILINE) for group in GROUPS)
    names = [name for contests in GROUPS.values() for name in contests]
    assert len(names) == len(set(names))


def test_without_a_cluster_a_contest_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(Skipped, match="set KUBECONFIG"), open_site():
        pytest.fail("there is no cluster")


def test_the_steps_of_the_race_between_controllers_differ_in_the_controllers_values_alone() -> None:
    ours, theirs = list_values()
    assert {key for key in ours if ours[key] != theirs[key]} == {"controller"}
    assert "extraEnv" in ours["controller"]
    assert "extraEnv" not in theirs["controller"]

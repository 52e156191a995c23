"""Applying a plan, model-checked: killed at every write, then resumed, it ends where an undisturbed run ends."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from platform_cli.apply import apply_plan
from platform_cli.errors import InterruptedByUser, StateError, ToolError
from platform_cli.events import Emit, Event, PlanFinished, StageFinished
from platform_cli.journal import Journal, Recorder, read_history
from platform_cli.plan import Operation, Plan, build_plan
from platform_cli.stage import ConfigMap, Facts, Folders, RemoveFiles, Stage, TrackingDatabase, digest_of

TARGET = "paper/dev"


class Killed(BaseException):
    """What happens to a process that is killed: nothing more runs."""


@dataclass
class Killer:
    """Kills at the nth of the moments it is asked about; 0 never."""

    at: int
    seen: int = 0

    def moment(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise Killed


@dataclass
class FragileJournal:
    """A journal whose process may be killed right before and right after each entry."""

    journal: Recorder
    killer: Killer

    def record(self, *, plan: str, stage: str, digest: str, phase: str, detail: str = "") -> None:
        self.killer.moment()
        self.journal.record(plan=plan, stage=stage, digest=digest, phase=phase, detail=detail)
        self.killer.moment()


class PaperCloud:
    """A cloud of files, whose process may be killed at every write, and in the middle of one."""

    def __init__(self, root: Path, killer: Killer) -> None:
        self._root, self._killer = root, killer

    @property
    def journal(self) -> Path:
        return self._root / "journal.db"

    def list_stages(self) -> tuple[Stage, ...]:
        maps = {"one": {"a": "1", "b": "2"}, "two": {"c": "3"}}
        folders = Stage("folders", "folders", Folders((self._root, self._root / "maps")))
        database = Stage("database", "database", TrackingDatabase(self._root / "db", self._root, "1"), ("folders",))
        return (
            folders,
            database,
            *(Stage(name, name, ConfigMap(name, data), ("folders",)) for name, data in maps.items()),
        )

    def list_removals(self) -> tuple[Stage, ...]:
        return (Stage("files", "files", RemoveFiles(self._root, ())),)

    def observe(self) -> Facts:
        history = read_history(self.journal)
        maps = self._root / "maps"
        entries = frozenset(self._root.iterdir()) if self._root.is_dir() else frozenset()
        return Facts(
            folders=frozenset(path for path in (self._root, maps) if path.is_dir()),
            config_maps={path.name: digest_of(_read(path)) for path in maps.iterdir()} if maps.is_dir() else {},
            entries=entries,
            # As with a real database, a half-made one looks like a whole one: only the journal knows better.
            tracking=(self._root / "db").is_file(),
            applied=history.applied,
            interrupted=history.interrupted,
        )

    def run_stage(self, stage: Stage, _emit: Emit) -> str:
        for write in self._writes(stage):
            self._killer.moment()
            write()
        return "done"

    def _writes(self, stage: Stage) -> Iterator:
        work = stage.work
        match work:
            case Folders():
                yield from (lambda path=path: path.mkdir(parents=True, exist_ok=True) for path in work.paths)
            case ConfigMap():
                folder = self._root / "maps" / work.config_map
                yield lambda: folder.mkdir(exist_ok=True)
                yield from (lambda k=k, v=v: (folder / k).write_text(v) for k, v in work.data.items())
            case TrackingDatabase():
                yield lambda: work.database.write_text("half")
                yield lambda: work.database.write_text("whole")
            case RemoveFiles():
                yield lambda: (self._root / "db").unlink(missing_ok=True)
                yield lambda: shutil.rmtree(self._root / "maps", ignore_errors=True)

    def deploy(self) -> Plan:
        return self._apply(build_plan(Operation.DEPLOY, TARGET, self.list_stages(), self.observe()))

    def destroy(self) -> Plan:
        plan = build_plan(Operation.DESTROY, TARGET, self.list_removals(), self.observe())
        with Journal(self.journal) as journal:
            apply_plan(plan, run=self.run_stage, journal=FragileJournal(journal, self._killer), emit=lambda _: None)
            self._killer.moment()
            journal.discard()
        return plan

    def _apply(self, plan: Plan) -> Plan:
        with Journal(self.journal) as journal:
            apply_plan(plan, run=self.run_stage, journal=FragileJournal(journal, self._killer), emit=lambda _: None)
        return plan


def _read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def picture(root: Path) -> dict[str, str]:
    """Every file but the journal's."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith("journal"))
    return {str(path.relative_to(root)): path.read_text() for path in files}


def count_moments(root: Path, *, destroys: bool) -> int:
    killer = Killer(0)
    cloud = PaperCloud(root, killer)
    if destroys:
        cloud.deploy()
        killer.seen = 0
        cloud.destroy()
    else:
        cloud.deploy()
    return killer.seen


def test_killed_at_every_moment_of_a_deploy_the_next_one_ends_it(tmp_path: Path) -> None:
    PaperCloud(tmp_path / "calm", Killer(0)).deploy()
    expected = picture(tmp_path / "calm")
    moments = count_moments(tmp_path / "count", destroys=False)
    assert moments == 25, "two for each of 8 journal entries, one for each of 9 writes"
    for moment in range(1, moments + 1):
        root = tmp_path / f"killed-{moment}"
        with pytest.raises(Killed):
            PaperCloud(root, Killer(moment)).deploy()
        resumed = PaperCloud(root, Killer(0))
        resumed.deploy()
        assert picture(root) == expected, moment
        assert resumed.deploy().changes == (), moment


def test_killed_twice_at_every_pair_of_moments_it_still_ends_well(tmp_path: Path) -> None:
    PaperCloud(tmp_path / "calm", Killer(0)).deploy()
    expected = picture(tmp_path / "calm")
    moments = count_moments(tmp_path / "count", destroys=False)
    for first in range(1, moments + 1, 3):
        for second in range(1, moments + 1, 4):
            root = tmp_path / f"killed-{first}-{second}"
            for moment in (first, second):
                _until_killed(root, moment)
            PaperCloud(root, Killer(0)).deploy()
            assert picture(root) == expected, (first, second)
            shutil.rmtree(root)


def test_killed_at_every_moment_of_a_destroy_the_next_one_ends_it(tmp_path: Path) -> None:
    moments = count_moments(tmp_path / "count", destroys=True)
    for moment in range(1, moments + 1):
        root = tmp_path / f"killed-{moment}"
        PaperCloud(root, Killer(0)).deploy()
        with pytest.raises(Killed):
            PaperCloud(root, Killer(moment)).destroy()
        calm = PaperCloud(root, Killer(0))
        calm.destroy()
        assert list(root.iterdir()) == [], moment
        assert calm.destroy().changes == ()


def test_a_deploy_after_a_killed_destroy_brings_everything_back(tmp_path: Path) -> None:
    PaperCloud(tmp_path / "calm", Killer(0)).deploy()
    for moment in range(1, count_moments(tmp_path / "count", destroys=True) + 1):
        root = tmp_path / f"killed-{moment}"
        PaperCloud(root, Killer(0)).deploy()
        with pytest.raises(Killed):
            PaperCloud(root, Killer(moment)).destroy()
        PaperCloud(root, Killer(0)).deploy()
        assert picture(root) == picture(tmp_path / "calm"), moment


def test_a_real_kill_in_a_child_process_is_resumed(tmp_path: Path) -> None:
    PaperCloud(tmp_path / "calm", Killer(0)).deploy()
    for moment in range(1, count_moments(tmp_path / "count", destroys=False) + 1, 3):
        root = tmp_path / f"killed-{moment}"
        child = os.fork()
        if child == 0:
            try:
                PaperCloud(root, Killer(moment)).deploy()
            finally:
                os.kill(os.getpid(), 9)
        os.waitpid(child, 0)
        PaperCloud(root, Killer(0)).deploy()
        assert picture(root) == picture(tmp_path / "calm"), moment


def _until_killed(root: Path, moment: int) -> None:
    try:
        PaperCloud(root, Killer(moment)).deploy()
    except Killed:
        return


@pytest.fixture
def plan() -> Plan:
    stages = tuple(Stage(name, name.upper(), ConfigMap(name, {})) for name in ("a", "b", "c"))
    return build_plan(Operation.DEPLOY, TARGET, stages, Facts(config_maps={"b": digest_of({})}))


def test_events_tell_what_ran_and_what_did_not(plan: Plan, tmp_path: Path) -> None:
    told: list[Event] = []
    with Journal(tmp_path / "journal.db") as journal:
        apply_plan(plan, run=lambda stage, _: f"did {stage.name}", journal=journal, emit=told.append)
    finished = [(event.stage, event.outcome, event.detail) for event in told if isinstance(event, StageFinished)]
    assert finished == [("a", "created", "did a"), ("b", "unchanged", "b is the same"), ("c", "created", "did c")]
    assert told[0].titles == ("A", "C")  # type: ignore[union-attr]
    assert isinstance(told[-1], PlanFinished)
    assert told[-1].outcomes == {"created": 2, "unchanged": 1}
    assert read_history(tmp_path / "journal.db").interrupted == frozenset()


def test_a_failing_stage_ends_the_plan_and_stays_in_doubt(plan: Plan, tmp_path: Path) -> None:
    ran: list[str] = []

    def run(stage: Stage, emit: Emit) -> str:
        ran.append(stage.name)
        raise ToolError("it broke")

    told: list[Event] = []
    with Journal(tmp_path / "journal.db") as journal, pytest.raises(ToolError, match="it broke"):
        apply_plan(plan, run=run, journal=journal, emit=told.append)
    assert ran == ["a"]
    assert (told[-1].outcome, told[-1].detail) == ("failed", "it broke")  # type: ignore[union-attr]
    assert read_history(tmp_path / "journal.db").interrupted == {"a"}


def test_ctrl_c_leaves_the_stage_in_doubt(plan: Plan, tmp_path: Path) -> None:
    def run(stage: Stage, emit: Emit) -> str:
        raise KeyboardInterrupt

    with Journal(tmp_path / "journal.db") as journal, pytest.raises(InterruptedByUser, match="in stage a"):
        apply_plan(plan, run=run, journal=journal, emit=lambda _: None)
    assert read_history(tmp_path / "journal.db").interrupted == {"a"}


def test_a_full_disk_in_a_stage_says_what_to_do(plan: Plan, tmp_path: Path) -> None:
    def run(stage: Stage, emit: Emit) -> str:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")

    with Journal(tmp_path / "journal.db") as journal, pytest.raises(ToolError, match="No space left") as caught:
        apply_plan(plan, run=run, journal=journal, emit=lambda _: None)
    assert "free some disk space" in caught.value.hint


def test_when_even_the_journal_cannot_be_written_the_first_reason_is_told(plan: Plan) -> None:
    class FullJournal:
        def record(self, *, phase: str, **_: str) -> None:
            if phase == "failed":
                raise StateError("the journal is full")

    def run(stage: Stage, emit: Emit) -> str:
        raise ToolError("the first reason")

    with pytest.raises(ToolError, match="the first reason"):
        apply_plan(plan, run=run, journal=FullJournal(), emit=lambda _: None)  # type: ignore[arg-type]

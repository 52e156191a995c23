"""What a workflow gets from the machine it is submitted from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from platform_cli.layout import TargetHome
from platform_cli.workflow.local_engine import LocalEngine
from platform_cli.workflow.preparation import describe_commit, prepare_parameters

WORKFLOW = """\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata:
  name: own
  annotations: {mlops.dev/path-parameters: data}
spec:
  arguments:
    parameters: [{name: data, value: iris}, {name: note, value: ""}, {name: step-code}, {name: git-commit}]
"""


@pytest.fixture
def engine(tmp_path: Path) -> LocalEngine:
    return LocalEngine(TargetHome(tmp_path / "home"), environment={})


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "räume und wege"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "step.py").write_text("print(1)")
    (folder / "own.yaml").write_text(WORKFLOW)
    monkeypatch.chdir(folder)
    return folder / "own.yaml"


@pytest.mark.parametrize("value", ["data.csv", "./data.csv", "missing.csv", "parts/*.csv", "plain"])
def test_a_path_is_made_absolute(manifest: Path, engine: LocalEngine, value: str) -> None:
    Path("plain").write_text("a\n1\n")
    assert prepare_parameters(manifest, {"data": value}, engine)["data"] == str(manifest.parent / value)


@pytest.mark.parametrize("value", ["iris", "https://data.example/x.csv", "s3://bucket/x.csv", "/srv/x.csv"])
def test_what_is_no_relative_path_stays(manifest: Path, engine: LocalEngine, value: str) -> None:
    assert prepare_parameters(manifest, {"data": value}, engine)["data"] == value


def test_only_declared_parameters_are_paths(manifest: Path, engine: LocalEngine) -> None:
    assert prepare_parameters(manifest, {"note": "own.yaml"}, engine)["note"] == "own.yaml"


def test_step_code_is_put_on_the_target_under_its_hash(manifest: Path, engine: LocalEngine) -> None:
    name = prepare_parameters(manifest, {}, engine)["step-code"]
    assert (engine.home.config_maps / name / "step.py").read_text() == "print(1)"
    (manifest.parent / "src" / "step.py").write_text("print(2)")
    assert prepare_parameters(manifest, {}, engine)["step-code"] != name


def test_what_is_given_wins(manifest: Path, engine: LocalEngine) -> None:
    given = {"step-code": "mine", "git-commit": "abc"}
    assert prepare_parameters(manifest, given, engine) == given


def test_commit_tells_what_is_not_committed(tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    folder.mkdir()
    assert describe_commit(folder) == ""

    def git(*words: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (folder / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD").strip()
    assert describe_commit(folder) == commit
    (folder / "a").write_text("2")
    first = describe_commit(folder)
    assert first.startswith(f"{commit}+")
    (folder / "a").write_text("3")
    assert describe_commit(folder) not in {first, commit}

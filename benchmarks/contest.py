"""What is raced against what."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import by_hand, clouds, cluster, ground
from benchmarks.controller import compare_controllers
from benchmarks.figure import Figure
from benchmarks.ground import CACHE, MLOPS, ROOT, Project, clean_environment, open_project
from benchmarks.race import Contender, Times, race
from benchmarks.site import on_site
from benchmarks.wide import write_wide

HERE = Path(__file__).resolve().parent
FIVE_TRUE = "for i in 1 2 3 4 5; do sh -c true; done"


def _ours(name: str, *words: str | Path, project: Project | None = None) -> Contender:
    return Contender(name=name, argv=(MLOPS, *words), cwd=project.folder if project else CACHE, env=clean_environment())


def _submit(name: str, *words: str | Path, project: Project) -> Contender:
    """A run in which no step is reused."""
    return _ours(name, "pipeline", "submit", *words, "--wait", "--no-cache", project=project)


def compare_help(rounds: int) -> list[Figure]:
    """How long a person waits for `--help`."""
    peer = ground.metaflow_python().with_name("metaflow")
    bare = Contender(name="python", argv=(sys.executable, "-c", "pass"), cwd=ROOT, env=clean_environment())
    metaflow = Contender(name="metaflow", argv=(peer, "--help"), cwd=CACHE, env=ground.metaflow_environment())
    times = race((_ours("mlops", "--help"), metaflow, bare), rounds=rounds)
    ours = times["mlops"].median
    what = "`mlops --help`"
    return [
        Figure(what=what, ours=ours, limit=0.15, absolute=True),
        Figure(what=what, ours=ours, beside=times["metaflow"].median, beside_name="`metaflow --help`", limit=0.25),
        Figure(what=what, ours=ours, beside=times["python"].median, beside_name="floor: `python -c pass`"),
    ]


def compare_five_steps(rounds: int) -> list[Figure]:
    """Five steps that do nothing, each in a process of its own: what the machinery itself costs."""
    project = open_project("noop5")
    flow = (ground.metaflow_python(), HERE / "peers" / "noop5_flow.py", "--quiet", "run")
    metaflow = Contender(name="metaflow", argv=flow, cwd=CACHE, env=ground.metaflow_environment())
    bare = Contender(name="sh", argv=("sh", "-c", FIVE_TRUE), cwd=CACHE, env=clean_environment())
    ours = _submit("mlops", HERE / "workflows" / "noop5.yaml", project=project)
    times = race((ours, metaflow, bare), rounds=rounds)
    took = times["mlops"].median
    what = "five no-op steps, whole command"
    return [
        Figure(what=what, ours=took, limit=0.6, absolute=True),
        Figure(what=what, ours=took, beside=times["metaflow"].median, beside_name="Metaflow", limit=1),
        Figure(what=what, ours=took, beside=times["sh"].median, beside_name="floor: five `sh -c true`"),
    ]


def compare_training(rounds: int) -> list[Figure]:
    """The training pipeline on real data, against its five scripts run one after another."""
    project, hand = open_project("iris"), open_project("by-hand")
    script = by_hand.write_script(hand)
    scripts = Contender(name="scripts", argv=("sh", "-e", script), cwd=hand.folder, env=by_hand.environment(hand))
    times = race((_submit("mlops", project=project), scripts), rounds=rounds)
    ours, theirs = times["mlops"].median, times["scripts"].median
    what = "five-step iris DAG, nothing reused"
    return [Figure(what=what, ours=ours, beside=theirs, beside_name="the five scripts by hand", limit=0.5)]


def compare_width(rounds: int) -> list[Figure]:
    """What one more step costs in a DAG of 1,000 beside one of 100; the start of the command is taken off both."""
    project = open_project("wide")
    runs = {size: _submit(f"{size}", write_wide(project.folder, size), project=project) for size in (1, 100, 1000)}
    times = race(tuple(runs.values()), rounds=rounds)
    many, few = _per_step(times, 1000), _per_step(times, 100)
    what = "1,000-step DAG, cost of a step"
    return [Figure(what=what, ours=many, beside=few, beside_name="100-step DAG", limit=1.2, unit="ms")]


def _per_step(times: dict[str, Times], size: int) -> float:
    return (times[f"{size}"].median - times["1"].median) / (size - 1) * 1000


Contest = Callable[[int], list[Figure]]

LOCAL: dict[str, tuple[Contest, int]] = {
    "help": (compare_help, 31),
    "five-steps": (compare_five_steps, 7),
    "training": (compare_training, 5),
    "width": (compare_width, 3),
}
"""Each contest with the number of its timed rounds."""

TERRAFORM: dict[str, tuple[Contest, int]] = {
    "terraform": (clouds.compare_terraform, 5),
    "first-deploy": (clouds.compare_first_deploy, 3),
}
"""Needs Terraform."""

CLUSTER: dict[str, tuple[Contest, int]] = {
    "render": (cluster.compare_rendering, 7),
    "controllers": (partial(on_site, compare_controllers), 3),
    "share": (partial(on_site, cluster.compare_share), 5),
    "idle-deploy": (partial(on_site, cluster.compare_deploy), 5),
    "status": (partial(on_site, cluster.compare_status), 7),
}
"""All but the first need the cluster of KUBECONFIG."""

GROUPS = {"bench": LOCAL, "bench-terraform": TERRAFORM, "bench-cluster": CLUSTER}
"""The contests of each target of make."""

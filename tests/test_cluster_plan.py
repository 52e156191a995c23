"""Plans for a cluster: what each release does to each object, what is adopted, what is mended, what loses data."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_samples import select

from platform_cli.apply import apply_plan
from platform_cli.change import plan_deploy
from platform_cli.clouds.existing import ExistingCloud
from platform_cli.clouds.interface import Look
from platform_cli.cluster.difference import compare, differing_paths, find_varying
from platform_cli.cluster.package import Package
from platform_cli.cluster.platform import ClusterPlatform
from platform_cli.cluster.work import (
    ClusterFacts,
    CrdSet,
    GeneratedSecrets,
    Healthy,
    HelmRelease,
    Namespaces,
    ReleaseFact,
    RemoveCrds,
    RemoveNamespaces,
    Rendered,
)
from platform_cli.cluster.workload import tell_unready
from platform_cli.config import Config
from platform_cli.errors import InterruptedByUser, RefusedError, ToolError
from platform_cli.events import Emit, Event, Notice, StageFinished
from platform_cli.journal import Journal, read_history
from platform_cli.layout import Layout
from platform_cli.plan import Operation, Plan, build_plan
from platform_cli.render.plan import plan_lines
from platform_cli.resource import Action
from platform_cli.risk import Risk
from platform_cli.stage import Facts, Stage
from platform_cli.upgrade import plan_upgrade, upgrade

TARGET = "existing/dev"


def make(kind: str, name: str, api: str = "v1", namespace: str | None = None, **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


SET = make("StatefulSet", "db", "apps/v1", spec={"replicas": 1, "serviceName": "db", "template": {"a": 1}})
MAP = make("ConfigMap", "settings", data={"a": "1"})
CLAIM = make("PersistentVolumeClaim", "data", spec={"accessModes": ["RWO"], "resources": {"requests": {"storage": 1}}})
WORK = HelmRelease("mlflow", "mlflow", "mlflow", "mlflow", "1.11.5", "inputs")


def running(*objects: Mapping[str, Any], **fields: Any) -> ReleaseFact:
    return ReleaseFact(**{"revision": 2, "status": "deployed", "version": "1.11.5", "running": objects, **fields})


def actions(wanted: tuple[Mapping[str, Any], ...], release: ReleaseFact | None) -> dict[str, tuple[Action, bool]]:
    found = compare(Rendered(objects=wanted), release, "mlflow")
    return {change.address: (change.action, change.endangers_data) for change in found}


def plan_of(release: ReleaseFact | None, *objects: Mapping[str, Any], **fields: Any) -> Plan:
    releases = {WORK.key: release} if release else {}
    seen = ClusterFacts(releases=releases, rendered={"mlflow": Rendered(objects=objects)}, **fields)
    return build_plan(Operation.DEPLOY, TARGET, [Stage("mlflow", "mlflow", WORK)], Facts(cluster=seen))


def test_what_is_not_there_is_created_and_what_is_no_longer_wanted_goes_last() -> None:
    found = actions((MAP, SET), running(CLAIM, MAP))
    assert list(found.items()) == [
        ("mlflow/StatefulSet/db", (Action.CREATE, False)),
        ("mlflow/PersistentVolumeClaim/data", (Action.DESTROY, True)),
    ]


def test_an_object_that_somebody_deleted_is_created_again() -> None:
    release = running(MAP, absent=frozenset(compare_refs(MAP)))
    assert actions((MAP,), release) == {"mlflow/ConfigMap/settings": (Action.CREATE, False)}


def compare_refs(obj: Mapping[str, Any]) -> list[Any]:
    from platform_cli.cluster.difference import ref_of

    return [ref_of(obj, "mlflow")]


@pytest.mark.parametrize(
    ("before", "path", "value", "expected"),
    [
        (SET, ("spec", "replicas"), 3, (Action.UPDATE, False)),
        (SET, ("spec", "template"), {"a": 2}, (Action.UPDATE, False)),
        (SET, ("spec", "serviceName"), "other", (Action.REPLACE, True)),
        (CLAIM, ("spec", "accessModes"), ["RWX"], (Action.REPLACE, True)),
        (CLAIM, ("spec", "resources"), {"requests": {"storage": 2}}, (Action.UPDATE, False)),
        (
            make("Deployment", "d", "apps/v1", spec={"selector": {"a": 1}}),
            ("spec", "selector"),
            {},
            (Action.REPLACE, False),
        ),
        (make("RoleBinding", "r", "rbac/v1", roleRef={"name": "a"}), ("roleRef", "name"), "b", (Action.REPLACE, False)),
        (MAP, ("data", "a"), "2", (Action.UPDATE, False)),
    ],
)
def test_what_cannot_be_changed_in_place_is_replaced(
    before: dict[str, Any], path: tuple[str, str], value: Any, expected: tuple[Action, bool]
) -> None:
    after = copy.deepcopy(before)
    after[path[0]][path[1]] = value
    assert list(actions((after,), running(before)).values()) == [expected]


def test_the_api_version_of_an_object_is_not_its_identity() -> None:
    newer = {**MAP, "apiVersion": "v2"}
    assert actions((newer,), running(MAP)) == {"mlflow/ConfigMap/settings": (Action.UPDATE, False)}


def test_what_the_chart_makes_up_anew_each_time_is_no_change() -> None:
    first, second = (
        make("Secret", "tls", data={"key": "x", "ca": "c"}),
        make("Secret", "tls", data={"key": "y", "ca": "c"}),
    )
    varying = find_varying([first], [second], "mlflow")
    assert {path for _, path in varying} == {"data.key"}
    assert compare(Rendered(objects=(second,), varying=varying), running(first), "mlflow") == ()
    changed = make("Secret", "tls", data={"key": "y", "ca": "d"})
    assert compare(Rendered(objects=(changed,), varying=varying), running(first), "mlflow")[0].changed == ("data.ca",)


def test_helms_hooks_are_no_objects_of_a_release_and_kept_objects_are_forgotten() -> None:
    hook = make("Job", "hook", "batch/v1")
    hook["metadata"]["annotations"] = {"helm.sh/hook": "pre-install"}
    kept = copy.deepcopy(CLAIM)
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    assert actions((hook,), running(kept)) == {"mlflow/PersistentVolumeClaim/data": (Action.FORGET, False)}


VALUES = st.recursive(
    st.none() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert list(differing_paths(value, copy.deepcopy(value))) == []


@given(st.dictionaries(st.sampled_from("xyz"), VALUES), st.sampled_from("xyz"))
def test_a_new_value_is_always_seen(value: dict[str, Any], key: str) -> None:
    assert list(differing_paths(value, {**value, key: "new"})) == [key] or value.get(key) == "new"


def test_a_release_that_is_as_it_should_be_is_left_alone() -> None:
    plan = plan_of(running(MAP), MAP)
    assert plan.changes == ()
    assert plan.stages[0].reason == "1.11.5, nothing to change"


def test_a_release_tells_its_version_and_every_object() -> None:
    newer = {**MAP, "data": {"a": "2", "b": "3"}}
    plan = plan_of(running(MAP, version="1.11.4"), newer, SET)
    assert (plan.stages[0].risk, plan.stages[0].reason) == (Risk.CHANGE, "1.11.4 to 1.11.5; 1 to create, 1 to update")
    assert "    ~ update   mlflow/ConfigMap/settings (data.a, data.b)" in plan_lines(plan)
    assert "    + create   mlflow/StatefulSet/db" in plan_lines(plan)


def test_what_loses_data_is_a_danger_and_names_what_is_deleted_first() -> None:
    other = copy.deepcopy(SET)
    other["spec"]["serviceName"] = "other"
    plan = plan_of(running(SET), other)
    assert [change.address for change in plan.dangers] == ["mlflow/StatefulSet/db"]
    assert plan.to_document()["stages"][0]["inputs"]["replaces"] == ["mlflow/StatefulSet/db"]
    assert any("DANGER: its data is lost; because of spec.serviceName" in line for line in plan_lines(plan))


def test_a_saved_plan_is_stale_when_the_objects_change_otherwise() -> None:
    first, second = ({**MAP, "data": {"a": value}} for value in "23")
    assert plan_of(running(MAP), first).stages[0].risk is plan_of(running(first), second).stages[0].risk
    assert plan_of(running(MAP), first).digest == plan_of(running(MAP), first).digest
    assert plan_of(running(MAP), first).digest != plan_of(running(MAP), MAP, SET).digest


@pytest.mark.parametrize(
    ("release", "reason"),
    [
        (running(MAP, revision=1, status="pending-install"), "revision 1 is pending-install: made anew"),
        (running(MAP, revision=3, status="pending-upgrade"), "revision 3 is pending-upgrade: mended"),
        (running(MAP, revision=2, status="failed"), "revision 2 is failed: mended"),
    ],
)
def test_a_broken_release_is_mended_although_no_object_differs(release: ReleaseFact, reason: str) -> None:
    planned = plan_of(release, MAP).stages[0]
    assert (planned.risk, planned.reason) == (Risk.CHANGE, reason)


def test_a_broken_first_revision_is_planned_as_if_nothing_were_there() -> None:
    plan = plan_of(running(MAP, revision=1, status="failed"), MAP)
    assert [change.action for change in plan.stages[0].resources] == [Action.CREATE]


def test_what_somebody_else_runs_is_adopted_not_touched_in_doubt_neither() -> None:
    seen = ClusterFacts(
        foreign={"mlflow": "a CRD that is not ours"}, rendered={"mlflow": Rendered(objects=(MAP,))}, crds={"x.y.z": ""}
    )
    stages = [Stage("crds", "crds", CrdSet("mlflow", {"x.y.z": "d"})), Stage("mlflow", "mlflow", WORK, ("crds",))]
    plan = build_plan(Operation.DEPLOY, TARGET, stages, Facts(cluster=seen, interrupted=frozenset({"crds", "mlflow"})))
    assert plan.changes == ()
    assert plan.stages[1].reason == "adopted, not touched: a CRD that is not ours"
    assert plan.stages[1].resources == ()


def test_nobody_waits_for_what_somebody_else_runs() -> None:
    work = Healthy((("mlflow", ("mlflow/deployment/a",)), ("argo", ("argo/deployment/b",))))
    unready = {"mlflow/deployment/a": "absent", "argo/deployment/b": "absent"}
    seen = ClusterFacts(foreign={"mlflow": "a CRD that is not ours"}, unready=unready)
    planned = build_plan(Operation.DEPLOY, TARGET, [Stage("health", "health", work)], Facts(cluster=seen)).stages[0]
    assert planned.reason == "not ready: argo/deployment/b"
    assert planned.stage.work == Healthy((("argo", ("argo/deployment/b",)),))


def test_a_release_in_doubt_is_looked_after_again() -> None:
    seen = ClusterFacts(releases={WORK.key: running(MAP)}, rendered={"mlflow": Rendered(objects=(MAP,))})
    facts = Facts(cluster=seen, interrupted=frozenset({"mlflow"}))
    planned = build_plan(Operation.DEPLOY, TARGET, [Stage("mlflow", "mlflow", WORK)], facts).stages[0]
    assert (planned.risk, planned.reason) == (Risk.CHANGE, "did not end the last time")


def test_without_a_cluster_everything_is_still_to_be_made() -> None:
    stages = [
        Stage("namespaces", "namespaces", Namespaces(("argo",))),
        Stage("crds", "crds", CrdSet("argo", {"a.b": "1"})),
        Stage("secrets", "secrets", GeneratedSecrets(("argo/x",))),
        Stage("mlflow", "mlflow", WORK),
        Stage("health", "health", Healthy((("argo", ("argo/deployment/x",)),))),
    ]
    plan = build_plan(Operation.DEPLOY, TARGET, stages, Facts())
    assert [planned.risk for planned in plan.stages] == [Risk.CREATE] * 4 + [Risk.CHANGE]


def test_only_what_is_ours_is_removed() -> None:
    seen = ClusterFacts(namespaces={"argo": True, "theirs": False}, crds={"a.b": "1", "c.d": ""}, claims=("argo/data",))
    stages = [
        Stage("crds", "crds", RemoveCrds(("a.b", "c.d"))),
        Stage("spaces", "spaces", RemoveNamespaces(("argo", "theirs"))),
        Stage("kept", "kept", RemoveNamespaces(("argo", "theirs"), kept=True)),
    ]
    plan = build_plan(Operation.DESTROY, TARGET, stages, Facts(cluster=seen))
    assert [planned.reason for planned in plan.stages] == ["there: a.b", "ours: argo", "none of ours"]


def test_a_cluster_that_is_gone_is_skipped_and_said_so() -> None:
    stages = [Stage("spaces", "spaces", RemoveNamespaces(("argo",)))]
    plan = build_plan(Operation.DESTROY, TARGET, stages, Facts(cluster=ClusterFacts(unreachable="no route")))
    assert (plan.stages[0].risk, plan.stages[0].reason) == (Risk.NONE, "the cluster cannot be asked: no route")


def releases(**needs: tuple[str, ...]) -> Plan:
    stages = [Stage(name, name, replace(WORK, component=name, release=name), wants) for name, wants in needs.items()]
    return build_plan(Operation.DEPLOY, TARGET, stages, Facts(cluster=ClusterFacts()))


def apply(plan: Plan, run: Callable[[Stage, Emit], str], path: Path) -> list[Event]:
    told: list[Event] = []
    with Journal(path) as journal:
        apply_plan(plan, run=run, journal=journal, emit=told.append)
    return told


def test_stages_that_need_nothing_of_each_other_run_at_the_same_time(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=30)

    def run(stage: Stage, emit: Emit) -> str:
        if stage.name != "c":
            # Each waits for the other: one after the other, this would break.
            meeting.wait()
        return threading.current_thread().name

    told = apply(releases(a=(), b=(), c=("a", "b")), run, tmp_path / "journal.db")
    finished = [event.stage for event in told if isinstance(event, StageFinished)]
    assert set(finished[:2]) == {"a", "b"}
    assert finished[2] == "c"
    assert read_history(tmp_path / "journal.db").interrupted == frozenset()


def test_events_of_threads_are_told_by_the_callers_thread(tmp_path: Path) -> None:
    where: list[threading.Thread] = []

    def run(stage: Stage, emit: Emit) -> str:
        emit(Notice(level="info", text=stage.name))
        return ""

    with Journal(tmp_path / "journal.db") as journal:
        apply_plan(
            releases(a=(), b=()), run=run, journal=journal, emit=lambda _: where.append(threading.current_thread())
        )
    assert set(where) == {threading.current_thread()}
    assert len(where) == 8


def test_when_one_fails_those_that_need_it_do_not_begin_and_the_others_end_at_their_next_word(tmp_path: Path) -> None:
    failed, stopped = threading.Event(), threading.Event()

    def run(stage: Stage, emit: Emit) -> str:
        if stage.name == "a":
            failed.set()
            raise ToolError("it broke")
        failed.wait(30)
        try:
            while True:
                emit(Notice(level="detail", text="still waiting"))
        except InterruptedByUser:
            stopped.set()
            raise

    with pytest.raises(ToolError, match="it broke"):
        apply(releases(a=(), b=(), c=("a",)), run, tmp_path / "journal.db")
    assert stopped.is_set()
    assert read_history(tmp_path / "journal.db").interrupted == {"a", "b"}


def test_ctrl_c_stops_every_thread_and_leaves_their_stages_in_doubt(tmp_path: Path) -> None:
    began, ended = threading.Barrier(2, timeout=30), []
    presses = [KeyboardInterrupt()]

    def run(stage: Stage, emit: Emit) -> str:
        began.wait()
        try:
            while True:
                emit(Notice(level="detail", text="still waiting"))
        finally:
            ended.append(stage.name)

    def press(event: Event) -> None:
        # Once: a second Ctrl-C would leave the threads behind.
        if isinstance(event, Notice) and presses:
            raise presses.pop()

    with (
        Journal(tmp_path / "journal.db") as journal,
        pytest.raises(InterruptedByUser, match="interrupted in stage a, b"),
    ):
        apply_plan(releases(a=(), b=(), c=("b",)), run=run, journal=journal, emit=press)
    assert sorted(ended) == ["a", "b"]
    assert read_history(tmp_path / "journal.db").interrupted == {"a", "b"}


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("deployment", {"replicas": 1, "availableReplicas": 1, "updatedReplicas": 1}, ""),
        ("deployment", {"replicas": 1, "updatedReplicas": 1}, "0 of 1 ready"),
        ("deployment", {"replicas": 1, "availableReplicas": 1}, "0 of 1 updated"),
        (
            "deployment",
            {"replicas": 2, "availableReplicas": 1, "updatedReplicas": 1},
            "1 of the old revision still there",
        ),
        ("statefulset", {"replicas": 1, "availableReplicas": 1, "updatedReplicas": 1}, ""),
        ("daemonset", {"desiredNumberScheduled": 2, "numberAvailable": 2, "updatedNumberScheduled": 2}, ""),
        ("daemonset", {"desiredNumberScheduled": 2, "numberAvailable": 2}, "0 of 2 updated"),
    ],
)
def test_a_workload_is_ready_with_its_newest_revision_only(kind: str, status: dict[str, Any], reason: str) -> None:
    found = {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": {"observedGeneration": 2, **status}}
    assert tell_unready(kind, found) == reason
    found["status"]["observedGeneration"] = 1
    assert tell_unready(kind, found) == "its controller has not seen it yet"
    assert tell_unready(kind, None) == "absent"


# --- upgrades ---

MLFLOW_CHARTS = "https://community-charts.github.io/helm-charts"
WANTED = {"argo-workflows": "1.0.18", "mlflow": "2.0.1", "platform": "1.0.0"}


class SeenPlatform(ClusterPlatform):
    """Three components on a cluster of which is known what is installed, and on which every work succeeds."""

    def __init__(self, installed: Mapping[str, str], foreign: Mapping[str, str]) -> None:
        chosen = [item for item in select("existing") if item.name in WANTED]
        components = [replace(item, version=WANTED[item.name], needs=()) for item in chosen]
        packages = [Package(component=item, chart=Path("none"), values=None) for item in components]
        super().__init__(_refuse_access, lambda _: packages, lambda: components)
        keys = {item.name: f"{item.namespace}/{item.release}" for item in components}
        releases = {keys[name]: running(version=version) for name, version in installed.items()}
        self._seen = ClusterFacts(releases=releases, foreign=foreign)

    def observe(self, *, deploys: bool) -> ClusterFacts:  # noqa: ARG002 - it is known already
        return self._seen

    def run_stage(self, stage: Stage, emit: Emit) -> str:  # noqa: ARG002 - there is nothing to tell
        return stage.name


class SeenCloud(ExistingCloud):
    """That cluster, which nobody else changes."""

    def __init__(self, project: Path, foreign: Mapping[str, str] | None = None, **installed: str) -> None:
        named = {name.replace("_", "-"): version for name, version in installed.items()}
        self.layout = Layout(assets=project, project=project)
        self.config = Config(version=1, cloud="existing")
        super().__init__(self.config, self.layout, SeenPlatform(named, foreign or {}))

    def hold(self, command: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002 - there is no other
        return contextlib.nullcontext()


def _refuse_access() -> Any:
    raise AssertionError("nothing is asked of a cluster")


def test_an_upgrade_notes_what_moves_and_where_to_read_what_a_major_version_breaks(tmp_path: Path) -> None:
    cloud = SeenCloud(tmp_path, argo_workflows="1.0.2", mlflow="1.11.5", platform="0.1.0")
    plan, _ = plan_upgrade(cloud, cloud.config.target)
    assert plan.notes == (
        "platform: 0.1.0 to 1.0.0; a new major version: read what it breaks, CHANGELOG.md",
        "argo-workflows: 1.0.2 to 1.0.18",
        f"mlflow: 1.11.5 to 2.0.1; a new major version: read what it breaks, {MLFLOW_CHARTS} (chart mlflow)",
    )
    assert plan.to_document()["notes"] == list(plan.notes)
    assert plan_lines(plan)[-3:] == [f"  note: {note}" for note in plan.notes]


def test_an_upgrade_tells_its_notes_to_programs_and_to_its_log(tmp_path: Path) -> None:
    cloud, told, shown = SeenCloud(tmp_path, mlflow="1.11.5"), list[Event](), list[Plan]()
    home = cloud.layout.home(cloud.config.target.name)
    upgrade(cloud, cloud.config.target, home, confirm=shown.append, emit=told.append)
    [note] = shown[0].notes
    assert next(event.text for event in told if isinstance(event, Notice)) == note
    logged = [json.loads(line) for line in (home.logs / "upgrade.log").read_text().splitlines()]
    assert note in [line.get("text") for line in logged]


def test_what_does_not_move_is_not_noted(tmp_path: Path) -> None:
    cloud = SeenCloud(tmp_path, argo_workflows="1.0.18")
    plan, _ = plan_upgrade(cloud, cloud.config.target)
    assert (plan.stages, plan.notes, "notes" in plan.to_document()) == ((), (), False)
    cloud = SeenCloud(tmp_path, foreign={"mlflow": "not ours"}, mlflow="1.11.5", argo_workflows="1.0.2")
    assert plan_upgrade(cloud, cloud.config.target)[0].notes == ("argo-workflows: 1.0.2 to 1.0.18",)


@pytest.mark.parametrize(("installed", "why"), [("0.9.0", "skip a major version"), ("2.1.0", "newer than the 2.0.1")])
def test_an_upgrade_neither_skips_a_major_version_nor_goes_back(tmp_path: Path, installed: str, why: str) -> None:
    cloud = SeenCloud(tmp_path, mlflow=installed)
    with pytest.raises(RefusedError, match=why):
        plan_upgrade(cloud, cloud.config.target)


class OrderedCloud(SeenCloud):
    """That cluster, writing down what it is asked."""

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        self.asked: list[str] = []

    def observe(self, look: Look) -> Facts:
        self.asked.append("observe")
        return super().observe(look)

    def list_stages(self) -> tuple[Stage, ...]:
        self.asked.append("list_stages")
        return super().list_stages()


def test_what_others_run_is_seen_before_it_is_said_what_should_hold(tmp_path: Path) -> None:
    cloud = OrderedCloud(tmp_path)
    plan_deploy(cloud, cloud.config.target)
    assert cloud.asked == ["observe", "list_stages"]

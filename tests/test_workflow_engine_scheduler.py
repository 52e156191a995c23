"""The scheduler as a state machine: random DAGs and outcomes, no processes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_cli.workflow.call import Ask, LeafOutcome, RunLeaf, StopLeaf, Wait
from platform_cli.workflow.duration import parse_duration
from platform_cli.workflow.lifecycle import Lifecycle
from platform_cli.workflow.loop import expand_items, item_name
from platform_cli.workflow.model import Spec
from platform_cli.workflow.model_template import Step
from platform_cli.workflow.node import Node, NodeOutputs, node_id
from platform_cli.workflow.scheduler import Surroundings
from platform_cli.workflow.scope import BindingError

METADATA = {"name": "run", "namespace": "argo", "uid": "u", "creationTimestamp": "2026-11-21T10:00:00Z"}
TERMINAL = {"Succeeded", "Failed", "Error", "Skipped", "Omitted"}
LEAF = {"name": "leaf", "container": {"image": "x", "command": ["true"]}}


class World:
    """A clock that moves only when told, and a log of what was asked."""

    def __init__(self, spec: dict[str, object], earlier: Sequence[Node] = ()) -> None:
        self.time = datetime(2026, 11, 21, tzinfo=UTC)
        surroundings = Surroundings(clock=self.tick, config_value=lambda _selector: None)
        typed = msgspec.convert(spec, Spec)
        self.lifecycle = Lifecycle(METADATA, typed, {}, surroundings, earlier)
        self.scheduler = self.lifecycle.scheduler
        self.ready: list[str] = []
        self.ran: list[str] = []
        self.waits: list[Wait] = []
        self.asked: list[str] = []
        self.lifecycle.begin()
        self.take()

    def tick(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time

    def take(self) -> None:
        for command in self.scheduler.take()[0]:
            match command:
                case RunLeaf(node=node):
                    self.ready.append(node)
                case Wait():
                    self.waits.append(command)
                case Ask(node=node):
                    self.asked.append(node)
                case StopLeaf(node=node, reason=reason):
                    self.ready.remove(node)
                    self.scheduler.finish(node, LeafOutcome("Failed", reason))

    def end(self, node: str, phase: str = "Succeeded", message: str = "") -> None:
        self.ready.remove(node)
        name = self.scheduler.nodes[node].name
        assert name not in self.ran
        self.ran.append(name)
        self.scheduler.started(node)
        outputs = NodeOutputs(result=name, exit_code="0" if phase == "Succeeded" else "1")
        self.scheduler.finish(node, LeafOutcome(phase, message, outputs))
        self.take()

    @property
    def phases(self) -> dict[str, str]:
        return {node.name.removeprefix("run."): node.phase for node in self.scheduler.nodes.values()}


@st.composite
def dags(draw: st.DrawFn) -> list[tuple[str, list[str]]]:
    size = draw(st.integers(1, 12))
    tasks = []
    for index in range(size):
        earlier = [f"t{other}" for other in range(index)]
        parents = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        tasks.append((f"t{index}", parents))
    return tasks


def dag_spec(
    tasks: list[tuple[str, list[str]]], *, fail_fast: bool, parallelism: int | None = None
) -> dict[str, object]:
    listed = [{"name": name, "template": "leaf", "dependencies": parents} for name, parents in tasks]
    main = {"name": "main", "dag": {"tasks": listed, "failFast": fail_fast}}
    limit = {} if parallelism is None else {"parallelism": parallelism}
    return {"entrypoint": "main", "templates": [main, LEAF], **limit}


def play(world: World, data: st.DataObject, fate: dict[str, str]) -> None:
    """End ready leaves in any order, each with its fate."""
    while world.ready:
        node = data.draw(st.sampled_from(sorted(world.ready)))
        name = world.scheduler.nodes[node].name.removeprefix("run.")
        world.end(node, fate.get(name, "Succeeded"))


@settings(max_examples=150, deadline=None)
@given(dags(), st.booleans(), st.sampled_from([None, 1, 2]), st.data())
def test_any_dag_ends_with_every_task_after_what_it_needs(tasks, fail_fast, parallelism, data):
    fate = {name: data.draw(st.sampled_from(["Succeeded", "Succeeded", "Failed", "Error"])) for name, _ in tasks}
    world = World(dag_spec(tasks, fail_fast=fail_fast, parallelism=parallelism))
    play(world, data, fate)
    assert world.lifecycle.is_over
    assert set(world.phases.values()) <= TERMINAL
    order = [name.removeprefix("run.") for name in world.ran]
    for name, parents in tasks:
        if name in order:
            assert all(parent in order and order.index(parent) < order.index(name) for parent in parents)
            assert all(world.phases[parent] == "Succeeded" for parent in parents)
    lost = [name for name in order if fate[name] != "Succeeded"]
    assert (world.lifecycle.phase == "Succeeded") == (not lost)
    if not fail_fast or not lost:
        # Without failFast a task is left out only because of what it needs.
        expected = {name for name, parents in tasks if all(world.phases[parent] == "Succeeded" for parent in parents)}
        assert set(order) == expected
        assert {name for name, _ in tasks} == set(world.phases) - {"run"}


@settings(max_examples=60, deadline=None)
@given(dags(), st.data())
def test_nothing_starts_after_the_first_lost_branch(tasks, data):
    fate = {name: data.draw(st.sampled_from(["Succeeded", "Failed"])) for name, _ in tasks}
    world = World(dag_spec(tasks, fail_fast=True))
    while world.ready:
        node = data.draw(st.sampled_from(sorted(world.ready)))
        before = set(world.scheduler.nodes)
        name = world.scheduler.nodes[node].name.removeprefix("run.")
        world.end(node, fate[name])
        if fate[name] == "Failed":
            # Every branch of such a DAG ends in a target that needs this task.
            new = [world.scheduler.nodes[id_] for id_ in set(world.scheduler.nodes) - before]
            assert all(made.type == "Skipped" for made in new)
            break


@settings(max_examples=60, deadline=None)
@given(dags(), st.data())
def test_a_resumed_run_ends_like_an_undisturbed_one(tasks, data):
    spec = dag_spec(tasks, fail_fast=False)
    first = World(spec)
    for _ in range(data.draw(st.integers(0, len(tasks)))):
        if first.ready:
            first.end(first.ready[0])
    done = [node for node in first.scheduler.nodes.values() if node.phase == "Succeeded" and node.type == "Pod"]
    second = World(spec, earlier=done)
    play(second, data, {})
    assert second.lifecycle.phase == "Succeeded"
    assert sorted(second.ran + [node.name for node in done]) == sorted(f"run.{name}" for name, _ in tasks)


def test_a_long_chain_of_skipped_tasks_is_not_a_deep_stack():
    tasks = [{"name": "t0", "template": "leaf", "when": "false"}]
    tasks += [{"name": f"t{i}", "template": "leaf", "when": "false", "depends": f"t{i - 1}"} for i in range(1, 3000)]
    world = World({"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": tasks}}, LEAF]})
    assert world.lifecycle.phase == "Succeeded"
    assert len(world.scheduler.nodes) == 3001


def test_each_event_touches_only_the_nodes_it_concerns():
    tasks = [("t0", []), *((f"t{i}", ["t0"]) for i in range(1, 500))]
    world = World(dag_spec(tasks, fail_fast=True))
    world.end(world.ready[0])
    node = world.ready[7]
    world.ready.remove(node)
    world.scheduler.started(node)
    world.scheduler.finish(node, LeafOutcome("Succeeded"))
    _, changed = world.scheduler.take()
    assert set(changed) == {node}


def test_a_deadline_stops_leaves_timers_and_retries_but_not_the_handler():
    spec = {
        "entrypoint": "main",
        "onExit": "leaf",
        "templates": [
            {"name": "main", "steps": [[{"name": "a", "template": "retried"}, {"name": "b", "template": "wait"}]]},
            {"name": "retried", "retryStrategy": {"limit": 3}, "container": {"image": "x", "command": ["true"]}},
            {"name": "wait", "suspend": {}},
            LEAF,
        ],
    }
    world = World(spec)
    assert len(world.ready) == len(world.asked) == 1
    world.scheduler.expire("too late")
    world.take()
    world.take()
    assert [world.scheduler.nodes[node].name for node in world.ready] == ["run.onExit"]
    world.end(world.ready[0])
    assert (world.lifecycle.phase, world.lifecycle.message) == ("Failed", "too late")


def test_backoff_grows_and_is_capped():
    backoff = {"duration": "2s", "factor": 3, "cap": "10s"}
    retried = {**LEAF, "name": "main", "retryStrategy": {"limit": 3, "backoff": backoff}}
    world = World({"entrypoint": "main", "templates": [retried]})
    for _ in range(3):
        world.end(world.ready[0], "Failed", "no luck")
        world.scheduler.fire(world.waits[-1].token)
        world.take()
    assert [wait.seconds for wait in world.waits] == [2, 6, 10]
    world.end(world.ready[0], "Failed", "no luck")
    assert world.lifecycle.message == "No more retries left: no luck"


def test_node_ids_are_argos():
    assert node_id("hello", "hello") == "hello"
    assert node_id("dag-diamond-xyz", "dag-diamond-xyz.A") == "dag-diamond-xyz-" + str(_fnv(b"dag-diamond-xyz.A"))


def _fnv(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return value


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5), (7, 7), ("1.5", 1.5), ("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172800)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5x", "1h 30m", "h"])
def test_bad_durations(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("fields", "items"),
    [
        ({"withSequence": {"count": "3"}}, ["0", "1", "2"]),
        ({"withSequence": {"start": "2", "end": "0"}}, ["2", "1", "0"]),
        ({"withSequence": {"count": 0}}, []),
        ({"withSequence": {"count": 2, "start": 9, "format": "x%03X"}}, ["x009", "x00A"]),
        ({"withParam": '[1, {"a": [2]}]'}, [1, {"a": [2]}]),
    ],
)
def test_items(fields, items):
    assert expand_items(msgspec.convert({"name": "s", "template": "t", **fields}, Step)) == items


@pytest.mark.parametrize(
    "fields", [{"withParam": "{}"}, {"withParam": "nonsense"}, {"withSequence": {"count": "many"}}]
)
def test_bad_items(fields):
    with pytest.raises(BindingError):
        expand_items(msgspec.convert({"name": "s", "template": "t", **fields}, Step))


def test_names_of_items_are_argos():
    assert item_name("a", 0, "x (y)") == "a(0:x y)"
    assert item_name("a", 1, {"b": 1, "a": "z"}) == "a(1:a:z,b:1)"
    assert item_name("a", 2, 3) == "a(2:3)"

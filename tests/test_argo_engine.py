"""What every engine does alike: the local one, Argo through the cluster's API, Argo through its own server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from argo_fixtures import Bench, find_tree, nodes_of, open_bench, open_local_bench, open_server_bench

from platform_cli.errors import InterruptedByUser, NotFoundError, StateError, UsageError
from platform_cli.events import Event, NodeFinished, NodeStarted, Notice, RunFinished, RunStarted
from platform_cli.render.cause import find_cause, name_step
from platform_cli.tools.kubernetes_kind import CONFIG_MAP
from platform_cli.workflow.interface import Submission

OPENERS = {"local": open_local_bench, "cluster": open_bench, "server": open_server_bench}
CHAIN = """\
entrypoint: main
arguments: {parameters: [{name: word, value: hello}, {name: colour, value: red, enum: [red, blue]}]}
templates:
  - name: main
    dag:
      tasks:
        - {name: give, template: give}
        - name: say
          template: say
          dependencies: [give]
          arguments: {parameters: [{name: text, value: "{{workflow.parameters.word}}"}]}
"""
GATED = """\
entrypoint: main
templates:
  - name: main
    dag:
      tasks:
        - {name: give, template: give}
        - {name: pass, template: once, dependencies: [give]}
        - {name: say, template: say, dependencies: [pass]}
"""
LONG = """\
entrypoint: main
templates:
  - name: main
    dag: {tasks: [{name: long, template: wait}]}
"""
MEMOIZED = """\
entrypoint: main
templates:
  - name: main
    dag: {tasks: [{name: keep, template: keep}]}
  - name: keep
    memoize: {key: one, maxAge: 24h, cache: {configMap: {name: CACHE}}}
    container: {image: IMAGE, command: [sh, -c, "echo kept > /tmp/o"]}
    outputs: {parameters: [{name: o, valueFrom: {path: /tmp/o}}]}
"""
ASK = """\
entrypoint: main
templates:
  - name: ask
    suspend: {}
  - name: main
    dag: {tasks: [{name: ask, template: ask}]}
"""


MIXED = """\
entrypoint: main
templates:
  - name: flaky
    retryStrategy: {limit: 2, retryPolicy: Always}
    container: {image: IMAGE, command: [sh, -c, "test {{retries}} = 1"]}
  - name: hopeless
    retryStrategy: {limit: 1, retryPolicy: Always}
    container: {image: IMAGE, command: [sh, -c, "echo attempt {{retries}} >&2; exit 5"]}
  - name: inner
    dag: {tasks: [{name: harmless, template: fail}]}
  - name: main
    dag:
      tasks:
        - {name: load, template: flaky}
        - {name: optional, template: inner, dependencies: [load], continueOn: {failed: true}}
        - {name: check, template: hopeless, dependencies: [optional]}
        - {name: say, template: say, dependencies: [check]}
"""


@pytest.fixture(
    scope="module",
    params=[
        "local",
        pytest.param("cluster", marks=pytest.mark.cluster),
        pytest.param("server", marks=pytest.mark.cluster),
    ],
)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with OPENERS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.events.clear()
    return shared


def test_a_run_tells_its_steps_and_its_end(bench: Bench) -> None:
    workflow = bench.run(CHAIN, {"word": "good day"}, labels={"team": "blue"})
    run = workflow["metadata"]["name"]
    assert isinstance(bench.events[0], RunStarted)
    assert isinstance(bench.events[-1], RunFinished)
    assert bench.events[-1].phase == workflow["status"]["phase"] == "Succeeded"
    started = [event.name for event in bench.events if isinstance(event, NodeStarted)]
    assert started == [run, "give", "say"]
    finished = [event for event in bench.events if isinstance(event, NodeFinished)]
    assert [(event.name, event.kind, event.phase) for event in finished] == [
        ("give", "Pod", "Succeeded"),
        ("say", "Pod", "Succeeded"),
        (run, "DAG", "Succeeded"),
    ]
    assert finished[0].summary == "all rows"
    assert workflow["metadata"]["labels"]["team"] == "blue"
    assert find_tree(workflow) == [f"{run}: Succeeded", "give all rows", "say"]
    assert bench.engine.get("@latest")["status"] == workflow["status"]
    listed = next(item for item in bench.engine.list() if item["metadata"]["name"] == run)
    assert listed["status"]["phase"] == "Succeeded"
    assert "nodes" not in listed["status"]
    assert [(line.source, line.text) for line in bench.engine.logs(run)] == [("say", "good day")]
    assert [line.text for line in bench.engine.logs(run, step="say", follow=True)] == ["good day"]
    bench.engine.delete(run)
    with pytest.raises(NotFoundError):
        bench.engine.get(run)


def test_a_failed_run_says_why_and_goes_on_where_it_failed(bench: Bench) -> None:
    name = bench.submit(GATED)
    failed = bench.engine.run(name, bench.events.append)
    nodes = nodes_of(failed)
    assert failed["status"]["phase"] == "Failed"
    assert nodes["pass"]["message"] == "exit code 4: closed"
    assert bench.finished()["pass"].message == "exit code 4: closed"
    assert nodes["say"]["phase"] == "Omitted"
    bench.open_gate()
    bench.engine.resume(name)
    bench.events.clear()
    healed = bench.engine.run(name, bench.events.append)
    assert healed["status"]["phase"] == "Succeeded", healed["status"].get("message")
    after = nodes_of(healed)
    assert {after[step]["phase"] for step in ("give", "pass", "say")} == {"Succeeded"}
    assert after["give"]["finishedAt"] == nodes["give"]["finishedAt"]
    with pytest.raises(StateError, match="nothing to resume"):
        bench.engine.resume(name)


def test_the_cause_of_a_failure_is_what_nothing_made_good(bench: Bench) -> None:
    """An attempt that a later one healed and a failure that the graph went past come first, and are not to blame."""
    workflow = bench.run(MIXED)
    nodes = workflow["status"]["nodes"]
    assert workflow["status"]["phase"] == "Failed"
    assert nodes_of(workflow)["load(0)"]["phase"] == nodes_of(workflow)["harmless"]["phase"] == "Failed"
    cause = find_cause(workflow)
    assert cause is not None
    assert (cause["displayName"], name_step(cause, nodes)) == ("check(1)", "check")
    assert cause["message"] == "exit code 5: attempt 1"


def test_a_running_run_is_left_stopped_and_only_then_deleted(bench: Bench) -> None:
    name = bench.submit(LONG)

    def leave(event: Event) -> None:
        if isinstance(event, NodeStarted) and event.name == "long":
            raise KeyboardInterrupt

    if bench.engine.is_remote:
        with pytest.raises(InterruptedByUser, match="goes on without us") as caught:
            bench.engine.run(name, leave)
        assert caught.value.hint == f"follow it again: mlops pipeline get {name} --wait"
    else:
        bench.engine.start(name)
        next(iter(bench.engine.logs(name, step="long", follow=True)))
    with pytest.raises(InterruptedByUser, match="goes on without us"):
        bench.engine.watch(name, leave)
    assert bench.engine.get(name)["status"]["phase"] == "Running"
    with pytest.raises(StateError):
        bench.engine.delete(name)
    with pytest.raises(StateError):
        bench.engine.resume(name)
    bench.engine.stop(name)
    bench.events.clear()
    workflow = bench.engine.watch(name, bench.events.append)
    assert isinstance(bench.events[0], RunStarted)
    assert isinstance(bench.events[-1], RunFinished)
    assert "waiting" in bench.logs()
    assert workflow["status"]["phase"] == "Failed"
    assert nodes_of(workflow)["long"]["message"] == "stopped before it was over"
    with pytest.raises(StateError, match="has ended: Failed"):
        bench.engine.stop(name)
    bench.engine.delete(name)


@pytest.mark.timeout(120)
def test_a_run_that_waits_for_a_person_goes_on_when_resumed(bench: Bench) -> None:
    name = bench.submit(ASK)

    def answer() -> None:
        # The person may be faster than the record of the question.
        for _ in range(300):
            try:
                bench.second().resume(name)
            except StateError:
                time.sleep(0.1)
            else:
                return

    def resume(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, Notice) and "waits for a person" in event.text:
            threading.Thread(target=answer).start()

    assert bench.engine.run(name, resume)["status"]["phase"] == "Succeeded"
    assert bench.finished()["ask"].phase == "Succeeded"


def test_what_cannot_be_is_refused_with_a_near_name(bench: Bench) -> None:
    with pytest.raises(UsageError) as unknown:
        bench.submit(CHAIN, {"wrod": "x"})
    assert unknown.value.details == ("unknown parameter wrod: did you mean word?",)
    with pytest.raises(UsageError):
        bench.submit(CHAIN, {"colour": "green"})
    with pytest.raises(UsageError):
        bench.submit(CHAIN, name="No Name")
    with pytest.raises(UsageError, match="no template nope"):
        bench.submit(CHAIN, entrypoint="nope")
    name = bench.submit(CHAIN, name="evening-run")
    with pytest.raises(NotFoundError) as near:
        bench.engine.get("evening-rum")
    assert near.value.hint == "did you mean evening-run?"
    with pytest.raises(NotFoundError) as gone:
        bench.engine.get("q9")
    assert ("a week after they succeeded" in gone.value.hint) == bench.engine.is_remote
    with pytest.raises(StateError, match="run named evening-run exists"):
        bench.submit(LONG, name=name)
    workflow = bench.engine.run(name, bench.events.append)
    assert workflow["status"]["phase"] == "Succeeded"
    with pytest.raises(NotFoundError) as step:
        list(bench.engine.logs(name, step="sya"))
    assert step.value.hint == "did you mean say?"
    for verb in (bench.engine.get, bench.engine.stop, bench.engine.delete, bench.engine.resume):
        with pytest.raises(NotFoundError):
            verb("there-is-none")
    # In an address these would lead to something else.
    for wrong in ("", ".", "..", "a/b", "a?b", f"{name}/status"):
        with pytest.raises(NotFoundError):
            bench.engine.get(wrong)


def test_a_run_that_goes_on_elsewhere_is_told_to_its_end(bench: Bench) -> None:
    name = bench.submit(CHAIN)
    bench.engine.start(name)
    workflow = bench.second().watch("@latest", bench.events.append)
    assert (workflow["metadata"]["name"], workflow["status"]["phase"]) == (name, "Succeeded")
    told = [type(event) for event in bench.events]
    assert (told[0], told[-1]) == (RunStarted, RunFinished)
    assert {"give": "all rows", "say": ""}.items() <= {n: e.summary for n, e in bench.finished().items()}.items()
    assert bench.logs() == ["hello"]


def test_what_a_memoized_step_takes_over_is_told_while_it_runs_and_afterwards(bench: Bench) -> None:
    cache = f"kept-{bench.namespace or 'here'}"
    first = bench.run(MEMOIZED.replace("CACHE", cache))
    if "configmaps is forbidden" in nodes_of(first)["keep"].get("message", ""):
        pytest.skip("this cluster's controller may not keep what is memoized: controller.rbac.writeConfigMaps")
    bench.events.clear()
    again = bench.run(MEMOIZED.replace("CACHE", cache))
    if bench.engine.is_remote:
        # The controller keeps it beside itself.
        bench.kubernetes.delete(CONFIG_MAP, cache, "argo")
    reason = f"memoized in {cache} as one"
    assert bench.finished()["keep"].reused == reason
    shown = bench.engine.get(again["metadata"]["name"])
    assert nodes_of(shown)["keep"]["reuse"] == {"hit": True, "reason": reason, "key": "one"}
    assert find_tree(shown)[1] == f"keep (reused: {reason})"


def test_the_same_name_with_the_same_work_is_one_run(bench: Bench) -> None:
    manifest = bench.manifest(CHAIN)

    def submit(colour: str, word: str = "hello") -> str:
        labels = {"colour": colour}
        parameters = {"word": word}
        return bench.engine.submit(Submission(manifest=manifest, parameters=parameters, name="nightly", labels=labels))

    assert submit("red") == "nightly"
    first = bench.engine.run("nightly", bench.events.append)
    assert submit("blue") == "nightly"
    assert bench.engine.watch("nightly", bench.events.append)["metadata"]["uid"] == first["metadata"]["uid"]
    assert bench.engine.get("nightly")["metadata"]["labels"]["colour"] == "red"
    with pytest.raises(StateError, match="another run named nightly exists"):
        submit("red", "good day")
    assert len([run for run in bench.engine.list() if run["metadata"]["name"] == "nightly"]) == 1
    bench.engine.delete("nightly")


def test_nothing_is_made_of_a_run_that_is_refused(bench: Bench, tmp_path: Path) -> None:
    before = [item["metadata"]["name"] for item in bench.engine.list()]
    with pytest.raises(UsageError):
        bench.submit(CHAIN, {"word": "x", "colour": "green"}, name="never")
    assert [item["metadata"]["name"] for item in bench.engine.list()] == before

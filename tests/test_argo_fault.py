"""Accidents on the way to a real Argo: networks, pods, images, memory, quotas, our own death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from api_proxy import Proxy, open_proxy, through
from argo_fixtures import QUICK, Bench, nodes_of, open_bench, open_cluster, open_server_bench

from platform_cli.errors import PreflightError
from platform_cli.events import Event, LogLine, NodeFinished, NodeStarted, Notice, RunFinished
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import POD, SERVICE_ACCOUNT
from platform_cli.workflow.argo_cluster import WORKFLOW
from platform_cli.workflow.argo_engine import ArgoEngine, ArgoServerEngine
from platform_cli.workflow.interface import Engine, WorkflowObject

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
LONG = """\
entrypoint: main
templates:
  - name: main
    dag: {tasks: [{name: long, template: wait}]}
"""
SLOW = """\
entrypoint: main
templates:
  - name: main
    dag:
      tasks:
        - {name: slow, template: slow}
        - {name: give, template: give, dependencies: [slow]}
  - name: slow
    container: {image: IMAGE, command: [sh, -c, "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 1; done"]}
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_bench(tmp_path_factory.mktemp("fault")) as opened:
        yield opened


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.events.clear()
    return shared


def follow_through_a_cut(engine: Engine, name: str, bench: Bench, proxy: Proxy, *, for_s: float) -> None:
    """Follow a run whose way is cut at its first line, to its good end."""

    def tell(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, LogLine) and not proxy.dropped:
            proxy.cut(for_s=for_s)

    workflow = engine.run(name, tell)
    assert proxy.dropped, "nothing was cut"
    assert workflow["status"]["phase"] == "Succeeded"


def test_a_run_is_followed_over_a_network_that_comes_and_goes(bench: Bench) -> None:
    access = open_cluster()
    with open_proxy(access) as proxy:
        engine = ArgoEngine(Kubernetes(through(access, proxy.port)), bench.namespace, patience=QUICK)
        name = bench.submit(SLOW)
        follow_through_a_cut(engine, name, bench, proxy, for_s=3)
    assert bench.logs() == [f"line {number}" for number in range(1, 9)]
    finished = [event.name for event in bench.events if isinstance(event, NodeFinished)]
    assert finished == ["slow", "give", name]
    assert isinstance(bench.events[-1], RunFinished)


def test_logs_go_on_after_an_api_that_was_away_for_longer_than_a_request_waits(bench: Bench) -> None:
    access = open_cluster()
    with open_proxy(access) as proxy:
        kubernetes = Kubernetes(through(access, proxy.port), patience_s=0.5)
        name = bench.submit(SLOW.replace("template: give, ", "template: say, "))
        engine = ArgoEngine(kubernetes, bench.namespace, patience=QUICK)
        follow_through_a_cut(engine, name, bench, proxy, for_s=5)
    assert bench.logs() == [*(f"line {number}" for number in range(1, 9)), "hello"]


def test_a_killed_watcher_leaves_a_run_that_another_one_brings_home(bench: Bench) -> None:
    name = bench.submit(SLOW)
    program = (
        "import os, sys\n"
        "from platform_cli.cluster.access import read_access\n"
        "from platform_cli.tools.kubernetes import Kubernetes\n"
        "from platform_cli.workflow.argo_engine import ArgoEngine\n"
        "engine = ArgoEngine(Kubernetes(read_access(None, None, os.environ)), sys.argv[1])\n"
        "engine.run(sys.argv[2], lambda event: print(event, flush=True))\n"
    )
    argv = [sys.executable, "-c", program, bench.namespace, name]
    watcher = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert watcher.stdout is not None
    for line in watcher.stdout:
        if "NodeStarted" in line and "'slow'" in line:
            break
    watcher.kill()
    assert watcher.wait(30) == -signal.SIGKILL
    assert bench.engine.get(name)["status"]["phase"] == "Running"
    assert bench.engine.run(name, bench.events.append)["status"]["phase"] == "Succeeded"
    assert bench.logs() == [f"line {number}" for number in range(1, 9)]


def test_a_pod_that_somebody_deletes_is_made_again(bench: Bench) -> None:
    spec = LONG.replace("template: wait", "template: stubborn") + (
        "  - name: stubborn\n"
        '    retryStrategy: {limit: "2", retryPolicy: Always}\n'
        '    container: {image: IMAGE, command: [sh, -c, "test {{retries}} -gt 0 || exec sleep 600"]}\n'
    )
    name = bench.submit(spec)

    def tell(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, NodeStarted) and event.name == "long(0)":
            (pod,) = (pod for pod in bench.pods() if pod["metadata"]["name"].startswith(f"{name}-stubborn"))
            bench.kubernetes.delete(POD, pod["metadata"]["name"], bench.namespace, grace_s=0)

    workflow = bench.engine.run(name, tell)
    nodes = nodes_of(workflow)
    assert workflow["status"]["phase"] == "Succeeded"
    assert nodes["long(0)"]["phase"] in ("Failed", "Error")
    assert nodes["long(1)"]["phase"] == "Succeeded"
    assert [event.kind for event in bench.events if isinstance(event, NodeStarted)][-1] == "Attempt"


def test_the_first_line_says_out_of_memory(bench: Bench) -> None:
    spec = LONG.replace("template: wait", "template: hungry") + (
        "  - name: hungry\n"
        "    container:\n"
        "      image: IMAGE\n"
        '      command: [python3, -c, "print(len(bytearray(400_000_000)))"]\n'
        "      resources: {limits: {memory: 64Mi}}\n"
    )
    workflow = bench.run(spec)
    assert nodes_of(workflow)["long"]["message"] == "out of memory (OOMKilled, its limit is 64Mi)"


def test_what_does_not_start_is_told_while_it_waits_and_when_its_time_is_up(bench: Bench) -> None:
    spec = """\
entrypoint: main
activeDeadlineSeconds: 45
templates:
  - name: main
    dag:
      failFast: false
      tasks:
        - {name: late, template: late}
        - {name: huge, template: huge}
        - {name: none, template: none}
        # Argo forgets a run's deadline once a pod has changed: a pod that ends with the deadline reminds it.
        - {name: held, template: wait}
  - name: late
    activeDeadlineSeconds: 5
    container: {image: IMAGE, command: [sleep, "600"]}
  - name: huge
    container: {image: IMAGE, command: [echo], resources: {requests: {cpu: "900"}}}
  - name: none
    activeDeadlineSeconds: 30
    container: {image: registry.invalid/there-is:none, command: [echo]}
"""
    nodes = nodes_of(bench.run(spec))
    told = bench.notices()
    assert any(text.startswith("huge waits: no node has room for it: 0/1 nodes are available") for text in told)
    assert any(
        text.startswith("none waits: its image cannot be pulled: registry.invalid/there-is:none") for text in told
    )
    assert nodes["late"]["message"] == "deadline of 5s exceeded"
    assert nodes["none"]["message"].startswith("its image cannot be pulled: registry.invalid/there-is:none")
    assert nodes["none"]["message"].endswith("deadline of 30s exceeded")
    assert nodes["huge"]["message"].startswith("no node has room for it: 0/1 nodes are available: 1 Insufficient cpu")


def test_a_full_quota_is_told_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with open_bench(tmp_path, quota={"pods": "0"}) as bench:
        name = bench.submit(LONG.replace("template: wait", "template: say"))

        def tell(event: Event) -> None:
            bench.events.append(event)
            if isinstance(event, Notice) and "quota" in event.text:
                raise KeyboardInterrupt

        with pytest.raises(BaseException, match="goes on without us"):
            bench.engine.run(name, tell)
        assert bench.notices()[0].startswith("long waits: quota small is used up: requested: pods=1")
        place = {"namespace": bench.namespace, "name": "small"}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": place, "spec": {"hard": {"pods": "5"}}}
        bench.kubernetes.apply(quota)
        assert bench.engine.run(name, bench.events.append)["status"]["phase"] == "Succeeded"


def test_a_run_that_no_controller_takes_up_is_told_and_waited_for(bench: Bench) -> None:
    # A run for a controller that is not there looks as if ours were down, and leaves the others in peace.
    somebody = "workflows.argoproj.io/controller-instanceid"
    name = bench.submit(LONG.replace("template: wait", "template: say"), labels={somebody: "away"})

    def tell(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, Notice):
            bench.kubernetes.patch(WORKFLOW, name, bench.namespace, {"metadata": {"labels": {somebody: None}}})

    workflow = bench.engine.run(name, tell)
    assert bench.notices()[0].startswith("no controller has taken the run up yet")
    assert workflow["status"]["phase"] == "Succeeded"


def test_a_run_is_taken_up_when_the_controller_comes_back(bench: Bench) -> None:
    scale = ["kubectl", "-n", "argo", "scale", "deployment/workflow-controller"]
    if os.environ.get("MLOPS_TEST_OWN_CONTROLLER") != "1":
        pytest.skip("stops the cluster's controller for all: MLOPS_TEST_OWN_CONTROLLER=1 says that nobody minds")
    subprocess.run([*scale, "--replicas=0"], check=True, capture_output=True)
    wait = ["kubectl", "-n", "argo", "wait", "--for=delete", "pod", "-l", "app=workflow-controller", "--timeout=60s"]
    subprocess.run(wait, check=True, capture_output=True)
    try:
        name = bench.submit(LONG.replace("template: wait", "template: say"))

        def tell(event: Event) -> None:
            bench.events.append(event)
            if isinstance(event, Notice):
                subprocess.run([*scale, "--replicas=1"], check=True, capture_output=True)

        workflow: WorkflowObject = bench.engine.run(name, tell)
    finally:
        subprocess.run([*scale, "--replicas=1"], check=True, capture_output=True)
    assert bench.notices()[0].startswith("no controller has taken the run up yet")
    assert workflow["status"]["phase"] == "Succeeded"


# the same over Argo's own server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_server_bench(tmp_path_factory.mktemp("server-fault")) as opened:
        yield opened


@pytest.fixture
def server_bench(shared_server: Bench) -> Bench:
    shared_server.events.clear()
    return shared_server


@contextmanager
def open_server_proxy(bench: Bench) -> Iterator[tuple[Proxy, ArgoServerEngine]]:
    """A proxy to the bench's Argo server, and an engine that goes through it."""
    url, token = bench.server
    host, _, port = url.removeprefix("http://").rpartition(":")
    proxy = Proxy((host, int(port)))
    threading.Thread(target=proxy.serve, daemon=True).start()
    yield proxy, ArgoServerEngine(f"http://127.0.0.1:{proxy.port}", token, bench.namespace, patience=QUICK)
    proxy.close()


def test_a_run_is_followed_through_a_server_that_comes_and_goes(server_bench: Bench) -> None:
    bench = server_bench
    name = bench.submit(SLOW)
    with open_server_proxy(bench) as (proxy, engine):
        follow_through_a_cut(engine, name, bench, proxy, for_s=3)
    assert bench.logs() == [f"line {number}" for number in range(1, 9)]


def test_a_token_that_ends_ends_the_watch_and_leaves_the_run(server_bench: Bench) -> None:
    bench = server_bench
    name = bench.submit(LONG)
    with open_server_proxy(bench) as (proxy, engine):

        def tell(event: Event) -> None:
            if isinstance(event, NodeStarted) and event.name == "long":
                bench.kubernetes.delete(SERVICE_ACCOUNT, "scientist", bench.namespace)
                wait_until_refused(bench.engine, name)
                # The stream that is open knows of no token any more.
                proxy.cut(for_s=0)

        with pytest.raises(PreflightError, match="does not accept the token") as caught:
            engine.run(name, tell)
    assert "ARGO_TOKEN" in caught.value.hint
    kept = bench.kubernetes.get(WORKFLOW, name, bench.namespace)
    assert kept is not None
    assert kept["status"]["phase"] == "Running"


def wait_until_refused(engine: Engine, name: str) -> None:
    """The cluster knows a token for a moment longer than it is there."""
    for _ in range(120):
        try:
            engine.get(name)
        except PreflightError:
            return
        time.sleep(0.5)
    pytest.fail("the cluster still takes the token of a service account that is gone")

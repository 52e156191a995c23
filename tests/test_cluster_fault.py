"""Accidents while the platform is put on a real cluster, or taken off: the API server, the node, ourselves, others."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from api_proxy import Proxy, open_proxy, through
from platform_fixtures import Cluster, make_crd, make_deployment, make_object

from platform_cli.errors import DeadlineError, MlopsError, StateError
from platform_cli.events import Event, StageStarted
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, NODE, SECRET

pytestmark = pytest.mark.cluster
PRESSURE = "node.kubernetes.io/memory-pressure"


@pytest.fixture
def proxy(platform_cluster: Cluster) -> Iterator[Proxy]:
    with open_proxy(platform_cluster.access) as found:
        yield found


def behind(proxy: Proxy, cluster: Cluster) -> Cluster:
    """The same components, deployed over the proxy."""
    access = through(cluster.access, proxy.port)
    return replace(cluster, access=access, kubernetes=Kubernetes(access))


def test_an_api_server_that_restarts_while_pods_come_up_is_waited_for(platform_cluster: Cluster, proxy: Proxy) -> None:
    cluster = platform_cluster
    slow = make_deployment("one")
    slow["spec"]["minReadySeconds"] = 10
    cluster.add("one", slow, health=("deployment/one",))
    cluster.add("two", make_object("ConfigMap", "a"), needs=("one",))
    released = "owner=helm,name=one,status=deployed"

    def cut_once_helm_is_done() -> None:
        for _ in cluster.kubernetes.watch(SECRET, cluster.space("one"), labels=released, timeout_s=60):
            proxy.cut(for_s=3)
            return

    thread = threading.Thread(target=cut_once_helm_is_done)
    thread.start()
    behind(proxy, cluster).deploy()
    thread.join()
    assert proxy.dropped >= 1, "nothing was cut"
    assert cluster.plan().changes == ()
    assert cluster.kubernetes.get(CONFIG_MAP, "a", cluster.space("two")) is not None


def test_an_api_server_that_restarts_under_helm_makes_it_begin_anew(platform_cluster: Cluster, proxy: Proxy) -> None:
    cluster = platform_cluster
    cluster.add("one", *(make_object("ConfigMap", f"map-{number}", data={"a": "x" * 1000}) for number in range(60)))

    def cut_at_the_first_object() -> None:
        for _, found in cluster.kubernetes.watch(CONFIG_MAP, cluster.space("one"), timeout_s=60):
            if found["metadata"]["name"].startswith("map-"):
                proxy.cut(for_s=3)
                return

    cutter = threading.Thread(target=cut_at_the_first_object)
    cutter.start()
    behind(proxy, cluster).deploy()
    cutter.join()
    assert proxy.dropped >= 1, "nothing was cut"
    assert cluster.plan().changes == ()
    assert cluster.destroy().leftovers == ()


def test_a_node_under_pressure_is_the_reason_that_is_told(platform_cluster: Cluster, full_node: str) -> None:
    cluster = platform_cluster
    cluster.deadline_s = 8
    one = make_deployment("one")
    one["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": full_node}
    cluster.add("one", one, health=("deployment/one",))
    with pytest.raises(DeadlineError, match=rf"^one: pod one-\S+ cannot be scheduled: .*{full_node} has {PRESSURE}"):
        cluster.deploy()
    one["spec"]["template"]["spec"].pop("nodeSelector")
    cluster.add("one", one, health=("deployment/one",))
    cluster.deadline_s = 60
    cluster.deploy()
    assert cluster.plan().changes == ()


@pytest.fixture
def full_node(kubernetes: Kubernetes, platform_cluster: Cluster) -> Iterator[str]:
    """A node, of which there is only the API's object, that says that it is short of memory."""
    name = f"{platform_cluster.prefix}-full"
    metadata = {"name": name, "labels": {"kubernetes.io/hostname": name}}
    # The node controller would set it from the condition a moment later; until then nobody's pods should come here.
    taints = [{"key": PRESSURE, "effect": "NoSchedule"}]
    kubernetes.create({**make_object("Node", name), "metadata": metadata, "spec": {"taints": taints}})
    room = {"cpu": "4", "memory": "8Gi", "pods": "10"}
    yes = [{"type": kind, "status": "True", "reason": "Test"} for kind in ("Ready", "MemoryPressure")]
    status = {"capacity": room, "allocatable": room, "conditions": yes}
    kubernetes.patch(NODE, name, None, {"status": status}, subresource="status")
    yield name
    kubernetes.delete(NODE, name)


def test_two_deploys_at_once_are_one_and_a_refusal(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    slow = make_deployment("one")
    slow["spec"]["minReadySeconds"] = 5
    cluster.add("one", slow, health=("deployment/one",))
    second = replace(cluster, folder=cluster.folder / "second", heard=[])
    refused: list[MlopsError] = []

    def deploy_too(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "one" and not refused:
            with pytest.raises(StateError) as caught:
                second.deploy()
            refused.append(caught.value)

    cluster.deploy(emit=deploy_too)
    assert "mlops deploy" in refused[0].message
    assert second.deploy().changes == ()


@pytest.mark.parametrize("moment", ["crds-one", "one", "health"])
def test_a_deploy_that_is_killed_there_is_ended_by_the_next(platform_cluster: Cluster, moment: str) -> None:
    cluster = platform_cluster
    crd = make_crd(f"{cluster.prefix}.mlops.test", "Thing", "things")
    cluster.add("one", make_deployment("one"), crds=[crd], owns=(crd["metadata"]["name"],), health=("deployment/one",))
    assert cluster.deploy_and_die(moment) == -signal.SIGKILL
    cluster.deploy()
    assert cluster.plan().changes == ()


@pytest.mark.parametrize("moment", ["drain-one", "remove-one", "remove-namespaces"])
def test_a_destroy_that_is_killed_there_is_ended_by_the_next(platform_cluster: Cluster, moment: str) -> None:
    cluster = platform_cluster
    crd = make_crd(f"{cluster.prefix}.mlops.test", "Thing", "things")
    cluster.add("one", make_deployment("one"), crds=[crd], owns=(crd["metadata"]["name"],), health=("deployment/one",))
    cluster.deploy()
    assert cluster.destroy_and_die(moment) == -signal.SIGKILL
    assert cluster.destroy().leftovers == ()
    cluster.deploy()
    assert cluster.plan().changes == ()

"""The platform on a real cluster, with small components of the test's own: install, mend, explain, destroy, prove."""

from __future__ import annotations

import pytest
from platform_fixtures import Cluster, make_deployment, make_object

from platform_cli.errors import DeadlineError
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, DEPLOYMENT, NAMESPACE

pytestmark = pytest.mark.cluster


def test_components_are_installed_in_order_then_left_alone_then_gone(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.add("first", make_deployment("one"), health=("deployment/one",))
    cluster.add("second", make_object("ConfigMap", "settings", data={"a": "1"}), needs=("first",))
    plan = cluster.deploy()
    assert [planned.stage.name for planned in plan.changes] == ["namespaces", "first", "second", "health"]
    assert cluster.kubernetes.get(DEPLOYMENT, "one", cluster.space("first"))["status"]["availableReplicas"] == 1
    again = cluster.deploy()
    assert again.changes == ()
    assert [layer.health for layer in cluster.cloud.inspect()][:3] == ["ok", "ok", "ok"]
    proof = cluster.destroy()
    assert proof.leftovers == ()
    assert cluster.kubernetes.get(NAMESPACE, cluster.space("first")) is None
    assert cluster.cloud.inspect() == ()
    assert cluster.destroy().leftovers == ()


def test_only_what_differs_is_changed(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.add("one", make_object("ConfigMap", "a", data={"a": "1"}), make_object("ConfigMap", "b", data={}))
    cluster.deploy()
    cluster.kubernetes.delete(CONFIG_MAP, "b", cluster.space("one"))
    assert [(c.action, c.address) for c in cluster.plan().changes[0].resources] == [
        ("create", f"{cluster.space('one')}/ConfigMap/b")
    ]
    cluster.deploy()
    assert cluster.kubernetes.get(CONFIG_MAP, "b", cluster.space("one")) is not None
    cluster.add("one", make_object("ConfigMap", "a", data={"a": "2"}), version="1.0.1")
    planned = cluster.deploy().changes[0]
    assert planned.reason == "1.0.0 to 1.0.1; 1 to update, 1 to destroy"
    assert cluster.kubernetes.get(CONFIG_MAP, "a", cluster.space("one"))["data"] == {"a": "2"}
    assert cluster.kubernetes.get(CONFIG_MAP, "b", cluster.space("one")) is None


def test_an_image_that_is_missing_is_named_first(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.deadline_s = 12
    cluster.add("one", make_deployment("one", "mlops.test/absent:1"), health=("deployment/one",))
    with pytest.raises(DeadlineError, match=r"^one: image mlops.test/absent:1 cannot be pulled"):
        cluster.deploy()
    cluster.add("one", make_deployment("one"), health=("deployment/one",))
    cluster.deadline_s = 60
    cluster.deploy()
    assert cluster.plan().changes == ()

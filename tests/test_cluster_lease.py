"""The lease of whoever changes a cluster, over an API whose answers are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes_stand_in import KubernetesStandIn, Reply, refusal

from platform_cli.cluster.lease import hold_lease
from platform_cli.errors import StateError
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.whoami import this_user

PLACE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/mlops"
CONFLICT = refusal(409, "Conflict", "the object has been modified; please apply your changes to the latest version")


def lease(holder: str, renewed: str) -> Reply:
    spec: dict[str, Any] = {"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": renewed}
    return Reply({"metadata": {"name": "mlops", "namespace": "kube-system", "resourceVersion": "7"}, "spec": spec})


LEFT = lease("bob@laptop:/elsewhere", "2001-01-01T00:00:00.000000Z")


def replies(after: Reply) -> dict[str, list[Reply]]:
    """A lease that ran out; the answer to its change is lost, and what the next try finds is another version."""
    return {f"GET {PLACE}": [LEFT, after], f"PATCH {PLACE}": [Reply(drops=True), CONFLICT], f"DELETE {PLACE}": [after]}


def test_a_lease_whose_answer_was_lost_is_held(tmp_path: Path) -> None:
    ours = lease(f"{this_user()}:{tmp_path}", "2999-01-01T00:00:00.000000Z")
    with KubernetesStandIn(replies(ours)) as api:
        with hold_lease(Kubernetes(api.access()), "mlops", home=tmp_path, command="mlops deploy"):
            done = [seen.method for seen in api.seen]
        assert api.seen[-1].method == "DELETE"
    assert done.count("PATCH") == 2


def test_a_lease_that_somebody_was_quicker_to_take_is_theirs(tmp_path: Path) -> None:
    theirs = lease("ann@desk:/home/ann", "2999-01-01T00:00:00.000000Z")
    with (
        KubernetesStandIn(replies(theirs)) as api,
        pytest.raises(StateError, match="is being changed by ann@desk"),
        hold_lease(Kubernetes(api.access()), "mlops", home=tmp_path, command="mlops deploy"),
    ):
        raise AssertionError("two hold one lease")

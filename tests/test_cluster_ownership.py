"""Whose things are: releases, namespaces, definitions and claims of ours and of others, and what others are spared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from target_samples import make_config, make_outputs, select

from platform_cli.cluster.adopted import Adopted
from platform_cli.cluster.chart import find_chart
from platform_cli.cluster.component import Component
from platform_cli.cluster.mark import claim, make_namespace, mark_crd, of_release, remember
from platform_cli.cluster.ownership import Ownership, tell_ownership
from platform_cli.cluster.package import Package
from platform_cli.cluster.stages import list_stages
from platform_cli.cluster.value import build_values
from platform_cli.cluster.work import Namespaces
from platform_cli.tools.helm import open_renderer

BY_NAME = {item.name: item for item in select("existing")}
CERT_MANAGER, MLFLOW, KEDA = BY_NAME["cert-manager"], BY_NAME["mlflow"], BY_NAME["keda"]
CERTIFICATES = "certificates.cert-manager.io"


def key(component: Component) -> tuple[str, str]:
    return component.namespace, component.release


def named(name: str, *patches: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """An object with what patches write on it."""
    found: dict[str, Any] = {"labels": {}, "annotations": {}, "name": name, **metadata}
    for patch in patches:
        for part, values in patch["metadata"].items():
            found[part] = {**found[part], **values}
    return {"metadata": found}


def tell(
    *components: Component,
    namespaces: Collection[dict[str, Any]] = (),
    crds: Collection[dict[str, Any]] = (),
    forced: Collection[str] = (),
) -> Ownership:
    """On a cluster that has a release of each component."""
    return tell_ownership(components, {key(item) for item in components}, list(namespaces), crds, forced)


THEIRS = named("cert-manager")
BORROWED = named("cert-manager", remember(THEIRS))
CLAIMED = named("cert-manager", claim("cert-manager"))
OURS = make_namespace("cert-manager")
PLAIN = named(CERTIFICATES, of_release("cert-manager", "cert-manager"))
APPLIED = mark_crd(named(CERTIFICATES))
STRANGER = {"cert-manager": "release cert-manager/cert-manager is there and not ours"}


@pytest.mark.parametrize(
    ("namespace", "crd", "forced", "foreign"),
    [
        (THEIRS, PLAIN, (), STRANGER),
        (THEIRS, PLAIN, ("cert-manager",), {}),
        (CLAIMED, PLAIN, (), {}),
        (OURS, PLAIN, (), {}),
        (BORROWED, PLAIN, (), STRANGER),
        (BORROWED, APPLIED, (), {}),
        (THEIRS, APPLIED, (), STRANGER),
    ],
    ids=[
        "strangers",
        "strangers-that-is-named",
        "claimed",
        "in-our-namespace",
        "in-a-borrowed-namespace",
        "in-a-borrowed-namespace-with-our-definitions",
        "strangers-over-definitions-that-we-left",
    ],
)
def test_a_release_under_our_name_is_ours_only_with_a_sign(
    namespace: dict[str, Any], crd: dict[str, Any], forced: tuple[str, ...], foreign: dict[str, str]
) -> None:
    found = tell(CERT_MANAGER, namespaces=[namespace], crds=[crd], forced=forced)
    assert found.foreign == foreign
    assert found.list_crds() == (() if foreign else (CERTIFICATES,))


def test_what_has_no_definitions_can_be_a_strangers_too() -> None:
    assert tell(MLFLOW, namespaces=[named("mlflow")]).foreign == {
        "mlflow": "release mlflow/mlflow is there and not ours"
    }


def test_what_is_only_for_clusters_that_we_made_is_ours() -> None:
    controller = {item.name: item for item in select("aws")}["aws-load-balancer-controller"]
    assert tell(controller, namespaces=[named("kube-system")]).foreign == {}


def test_definitions_without_any_sign_are_a_strangers() -> None:
    crd = named("scaledobjects.keda.sh")
    found = tell_ownership([KEDA], set(), [], [crd])
    assert found.foreign == {"keda": "scaledobjects.keda.sh is there and not ours"}
    assert found.adopted == frozenset()


def test_definitions_that_our_release_left_are_ours() -> None:
    crd = named("scaledobjects.keda.sh", of_release(*key(KEDA)))
    found = tell_ownership([KEDA], set(), [], [crd])
    assert (found.foreign, found.list_crds()) == ({}, ("scaledobjects.keda.sh",))


@pytest.mark.parametrize(
    ("name", "metadata", "is_ours"),
    [
        ("data", {}, False),
        ("data", {"labels": {"app.kubernetes.io/part-of": "mlops"}}, True),
        ("data", {"labels": {"app.kubernetes.io/instance": "kube-prometheus-stack"}}, True),
        ("data", {"labels": {"app.kubernetes.io/instance": "their-prometheus"}}, False),
        ("data", of_release("monitoring", "kube-prometheus-stack")["metadata"], True),
        ("prometheus-db-prometheus-kube-prometheus-stack-prometheus-0", {}, True),
        ("prometheus-db-prometheus-theirs-0", {}, False),
    ],
    ids=["bare", "our-charts", "instance", "another-instance", "by-helm", "of-our-set", "of-their-set"],
)
def test_a_claim_in_somebody_elses_namespace_is_ours_only_with_a_sign(
    name: str, metadata: dict[str, Any], is_ours: bool
) -> None:
    stack = BY_NAME["kube-prometheus-stack"]
    claimed = named("monitoring", claim(stack.release))
    claim_of = {"metadata": {"name": name, "namespace": "monitoring", **metadata}}
    assert tell(stack, namespaces=[claimed]).may_remove(claim_of) is is_ours
    assert tell(stack, namespaces=[make_namespace("monitoring")]).may_remove(claim_of)


def test_only_namespaces_that_were_there_before_us_are_adopted() -> None:
    components = [CERT_MANAGER, MLFLOW, KEDA]
    namespaces = [named("cert-manager"), make_namespace("mlflow")]
    assert tell_ownership(components, {key(CERT_MANAGER)}, namespaces, []).adopted == {"cert-manager"}
    # Another namespace of theirs runs KEDA: the one that ours would be in is not there, or ours.
    crd = named("scaledobjects.keda.sh")
    assert tell_ownership(components, set(), [*namespaces, make_namespace("keda")], [crd]).adopted == frozenset()


def test_adopted_namespaces_are_neither_made_nor_remembered() -> None:
    packages = [Package(component=item, chart=Path("none"), values=None) for item in (CERT_MANAGER, MLFLOW)]
    [first, *_] = list_stages(packages, adopted={"cert-manager"})
    assert first.work == Namespaces(("mlflow",))


def test_adopted_namespaces_get_nothing_that_closes_them() -> None:
    config, outputs, platform = make_config("existing"), make_outputs("existing"), BY_NAME["platform"]
    closing = {"Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy"}

    def list_kinds(space: str, *adopted: str) -> set[str]:
        values = build_values(platform, config, outputs, adopted=Adopted(namespaces=frozenset(adopted)))
        made = open_renderer().render(
            find_chart(platform, config.charts), name="platform", namespace="mlops-system", values=values
        )
        return {item["kind"] for item in made if space in (item["metadata"].get("namespace"), item["metadata"]["name"])}

    assert closing <= list_kinds("argo")
    assert not closing & list_kinds("argo", "argo")
    assert "ConfigMap" in list_kinds("argo", "argo"), "runs ask it for the tracking server"
    assert closing <= list_kinds("mlops", "argo")


def test_a_component_of_ours_and_one_of_others_are_told_apart() -> None:
    other = replace(MLFLOW, namespace="cert-manager")
    found = tell(CERT_MANAGER, other, namespaces=[CLAIMED])
    assert found.foreign == {"mlflow": "release cert-manager/mlflow is there and not ours"}
    assert [item.name for item in found.ours] == ["cert-manager"]
    assert found.adopted == {"cert-manager"}

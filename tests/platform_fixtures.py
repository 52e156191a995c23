"""Small components for tests on a real cluster: charts of a few objects, in namespaces of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chart_fixtures import STAND_IN_IMAGE

from platform_cli import change
from platform_cli.clouds.existing import ExistingCloud
from platform_cli.clouds.interface import Proof
from platform_cli.cluster.access import Access
from platform_cli.cluster.component import Component
from platform_cli.cluster.item import patch_item
from platform_cli.cluster.package import Package, find_crds
from platform_cli.cluster.platform import ClusterPlatform
from platform_cli.config import Config
from platform_cli.events import Emit, Event, Notice, StageFinished, StageStarted
from platform_cli.layout import Layout
from platform_cli.plan import Plan
from platform_cli.restore import restore as run_restore
from platform_cli.target import CloudName, Env, Target
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import NAMESPACE
from platform_cli.upgrade import upgrade as run_upgrade

IMAGE = STAND_IN_IMAGE
"""Does nothing, for as long as it is let."""
TARGET = Target(CloudName.EXISTING, Env.DEV)


def make_object(kind: str, name: str, api: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}


def make_deployment(name: str, image: str = IMAGE, replicas: int = 1, **container: Any) -> dict[str, Any]:
    """A Deployment that starts fast and ends at once."""
    labels = {"app": name}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", **container}],
    }
    return make_object(
        "Deployment",
        name,
        "apps/v1",
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    )


def write_chart(folder: Path, version: str, objects: Sequence[Mapping[str, Any]], crds: Sequence[Any] = ()) -> Path:
    """A chart whose templates are these objects, word for word."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": folder.name, "version": version}))
    for path in (folder / "templates").iterdir():
        path.unlink()
    for number, item in enumerate(objects):
        (folder / "templates" / f"{number}.yaml").write_text(json.dumps(item))
    return folder


@dataclass
class Cluster:
    """Components of a test's own on the real cluster, deployed and destroyed as the product's are."""

    access: Access
    kubernetes: Kubernetes
    folder: Path
    prefix: str
    deadline_s: float = 60.0
    removal_s: float = 60.0
    packages: dict[str, Package] = field(default_factory=dict)
    heard: list[Event] = field(default_factory=list)

    def space(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def add(
        self,
        name: str,
        *objects: Mapping[str, Any],
        version: str = "1.0.0",
        crds: Sequence[Mapping[str, Any]] = (),
        **fields: Any,
    ) -> Component:
        """Have a component of these objects, in a namespace of its own; one of that name is replaced."""
        names = tuple(crd["metadata"]["name"] for crd in crds)
        given: dict[str, Any] = {"needs": (), "health": (), "crds": names, "owns": (), "namespace": self.space(name)}
        given |= {"images": (), "manner": "release"}
        component = Component(
            name=name,
            summary="",
            chart=name,
            version=version,
            release=name,
            repository="",
            clouds=frozenset({"existing"}),
            optional=False,
            autoscalers=(),
            secret_stores=(),
            **{**given, **fields},
        )
        chart = write_chart(self.folder / name, version, objects)
        crds = tuple(crds) or find_crds(component, chart, {})
        self.packages[name] = Package(component=component, chart=chart, values={}, crds=crds)
        return component

    @property
    def platform(self) -> ClusterPlatform:
        packages = tuple(self.packages.values())
        components = tuple(package.component for package in packages)
        return ClusterPlatform(
            lambda: self.access,
            lambda _: packages,
            lambda: components,
            deadline_s=self.deadline_s,
            removal_s=self.removal_s,
        )

    @property
    def cloud(self) -> ExistingCloud:
        return ExistingCloud(Config(version=1, cloud=CloudName.EXISTING), self.layout, self.platform, lease=self.prefix)

    @property
    def layout(self) -> Layout:
        return Layout(assets=self.folder, project=self.folder / "project")

    def plan(self) -> Plan:
        return change.plan_deploy(self.cloud, TARGET)

    def deploy(self, **options: Any) -> Plan:
        home = self.layout.home(TARGET.name)
        given = {"confirm": lambda _: None, "emit": self.heard.append, **options}
        return change.deploy(self.cloud, TARGET, home, **given)

    def upgrade(self, **options: Any) -> Plan:
        home = self.layout.home(TARGET.name)
        return run_upgrade(self.cloud, TARGET, home, confirm=lambda _: None, emit=self.heard.append, **options)

    def restore(self, name: str) -> tuple[str, ...]:
        home = self.layout.home(TARGET.name)
        return run_restore(self.cloud, TARGET, home, name, confirm=lambda _: None, emit=self.heard.append)

    def deploy_and_die(self, stage: str) -> int | None:
        """Deploy in a process that is killed a moment after a stage began; returns how it ended."""
        return self._run_and_die(stage, _deploy)

    def destroy_and_die(self, stage: str) -> int | None:
        """The same with a destroy."""
        return self._run_and_die(stage, _destroy)

    def _run_and_die(self, stage: str, run: Callable[[Cluster, Emit], None]) -> int | None:
        given = (self.access, self.folder, self.prefix, self.packages)
        child = multiprocessing.get_context("spawn").Process(target=_die, args=(given, stage, run))
        child.start()
        child.join()
        return child.exitcode

    def destroy(self, *, keep_data: bool = False, delete_crds: bool = False, emit: Emit | None = None) -> Proof:
        home = self.layout.home(TARGET.name)
        given: dict[str, Any] = {"confirm": lambda _: None, "emit": emit or self.heard.append}
        return change.destroy(self.cloud, TARGET, home, keep_data=keep_data, delete_crds=delete_crds, **given)

    def outcomes(self) -> dict[str, str]:
        """How each stage ended last."""
        return {event.stage: event.outcome for event in self.heard if isinstance(event, StageFinished)}

    def details(self) -> dict[str, str]:
        """What each stage said last."""
        return {event.stage: event.detail for event in self.heard if isinstance(event, StageFinished)}

    def said(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Notice)]

    def remove_everything(self) -> None:
        """However the test ended: releases, custom resources' finalizers and namespaces go."""
        helm = self.platform._sight.helm
        for release in helm.list():
            if release.namespace.startswith(self.prefix):
                helm.uninstall(release.name, release.namespace)
        for package in self.packages.values():
            for crd in package.crds:
                self._remove_crd(crd)
        for item in self.kubernetes.list(NAMESPACE):
            if item["metadata"]["name"].startswith(self.prefix):
                self.kubernetes.delete(NAMESPACE, item["metadata"]["name"])

    def _remove_crd(self, crd: Mapping[str, Any]) -> None:
        from platform_cli.tools.kubernetes_kind import CUSTOM_RESOURCE_DEFINITION

        version = f"{crd['spec']['group']}/{crd['spec']['versions'][0]['name']}"
        kind = self.kubernetes.find_kind(version, crd["spec"]["names"]["kind"])
        for item in self.kubernetes.list(kind) if kind else ():
            patch_item(self.kubernetes, item, {"metadata": {"finalizers": None}})
        self.kubernetes.delete(CUSTOM_RESOURCE_DEFINITION, crd["metadata"]["name"])


def make_crd(group: str, kind: str, plural: str, version: str = "v1") -> dict[str, Any]:
    """A CRD whose resources may hold anything."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [served]}
    return {**make_object("CustomResourceDefinition", f"{plural}.{group}", "apiextensions.k8s.io/v1"), "spec": spec}


def _deploy(cluster: Cluster, emit: Emit) -> None:
    cluster.deploy(emit=emit)


def _destroy(cluster: Cluster, emit: Emit) -> None:
    cluster.destroy(emit=emit)


def _die(given: tuple[Access, Path, str, dict[str, Package]], stage: str, run: Callable[[Cluster, Emit], None]) -> None:
    access, folder, prefix, packages = given

    def emit(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == stage:
            threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGKILL)).start()

    run(Cluster(access, Kubernetes(access), folder, prefix, packages=packages), emit)
    # A stage that was faster than that: the command dies right after its last one.
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def platform_cluster(access: Access, kubernetes: Kubernetes, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster on which only components of the test are."""
    found = Cluster(access, kubernetes, tmp_path, f"p-{uuid.uuid4().hex[:6]}")
    yield found
    found.remove_everything()

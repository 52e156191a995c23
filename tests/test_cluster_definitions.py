"""CRDs of charts that have no value to keep them: they outlive a destroy, and Helm's hands, on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from platform_fixtures import Cluster, make_crd, make_object

from platform_cli.tools.kubernetes_kind import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, Kind

pytestmark = pytest.mark.cluster


class Definitions:
    """A chart whose templates are one CRD, with no annotation, as KServe's are; and a resource of somebody else's."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.group = f"{cluster.prefix}.mlops.test"
        self.crd = make_crd(self.group, "Thing", "things")
        self.theirs = f"{cluster.prefix}-theirs"
        cluster.kubernetes.apply(make_object("Namespace", self.theirs))

    @property
    def name(self) -> str:
        return f"things.{self.group}"

    def add(self, manner: str) -> None:
        settings = make_object("ConfigMap", "settings", data={"a": "1"})
        self.cluster.add("definitions", self.crd, crds=(), manner=manner)
        self.cluster.packages["definitions"] = self._with_crds()
        self.cluster.add("user", settings, needs=("definitions",))

    def _with_crds(self) -> Any:
        from dataclasses import replace

        package = self.cluster.packages["definitions"]
        return replace(package, component=replace(package.component, crds=(self.name,)))

    def use(self) -> None:
        """Somebody else has a resource of that kind."""
        thing = make_object("Thing", "model", f"{self.group}/v1")
        thing["metadata"]["namespace"] = self.theirs
        self.cluster.kubernetes.create(thing)

    @property
    def resource(self) -> dict[str, Any] | None:
        kind = Kind(f"{self.group}/v1", "Thing", "things", namespaced=True)
        return self.cluster.kubernetes.get(kind, "model", self.theirs)

    @property
    def definition(self) -> dict[str, Any] | None:
        return self.cluster.kubernetes.get(CUSTOM_RESOURCE_DEFINITION, self.name)


@pytest.fixture
def definitions(platform_cluster: Cluster) -> Iterator[Definitions]:
    found = Definitions(platform_cluster)
    yield found
    platform_cluster._remove_crd(found.crd)
    platform_cluster.kubernetes.delete(NAMESPACE, found.theirs)


def test_definitions_and_what_others_made_of_them_outlive_a_destroy(definitions: Definitions) -> None:
    cluster = definitions.cluster
    definitions.add("manifests")
    plan = cluster.deploy()
    assert [planned.stage.name for planned in plan.changes][:3] == ["namespaces", "definitions", "user"]
    assert [item.name for item in cluster.platform._sight.helm.list() if item.namespace.startswith(cluster.prefix)] == [
        "user"
    ]
    assert cluster.deploy().changes == ()
    layers = {layer.name: (layer.health, layer.reason) for layer in cluster.cloud.inspect()}
    assert layers["definitions"] == ("ok", "1 definition there")
    definitions.use()
    proof = cluster.destroy()
    assert proof.leftovers == ()
    assert any("1 CRDs" in line for line in proof.kept)
    assert definitions.resource is not None
    assert [planned.stage.name for planned in cluster.deploy().changes][:2] == ["namespaces", "user"]
    cluster.destroy(delete_crds=True)
    assert definitions.definition is None


def test_definitions_of_an_older_mlops_are_taken_from_helm(definitions: Definitions) -> None:
    cluster = definitions.cluster
    definitions.add("release")
    cluster.deploy()
    definitions.use()
    definitions.add("manifests")
    planned = next(item for item in cluster.deploy().changes if item.stage.name == "definitions")
    assert planned.reason == f"differ: {definitions.name}"
    assert cluster.details()["definitions"] == "1 applied, taken over from their Helm release"
    assert cluster.deploy().changes == ()
    assert cluster.destroy().leftovers == ()
    assert definitions.resource is not None


def test_a_newer_mlops_that_destroys_what_an_older_one_installed_leaves_the_definitions(
    definitions: Definitions,
) -> None:
    cluster = definitions.cluster
    definitions.add("release")
    cluster.deploy()
    definitions.use()
    definitions.add("manifests")
    assert cluster.destroy().leftovers == ()
    assert definitions.resource is not None
    cluster.destroy(delete_crds=True)
    assert definitions.definition is None

"""The list of components, their values for every cloud, their charts, bundles and the tree for Argo CD."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_fixtures import OVERRIDES, find_kserve, find_module
from target_samples import CLOUDS, make_config, make_outputs, select

from platform_cli.cluster.bundle import list_images, mirror_charts, verify_bundle, write_manifest
from platform_cli.cluster.chart import find_chart, list_crds
from platform_cli.cluster.component import Component, read_components, select_components
from platform_cli.cluster.gitops import list_bootstrap, list_waves, render_tree, write_tree
from platform_cli.cluster.image import describe_images
from platform_cli.cluster.outputs import existing_outputs, parse_outputs
from platform_cli.cluster.package import open_packages
from platform_cli.cluster.stages import list_removals, list_stages
from platform_cli.cluster.value import build_values
from platform_cli.cluster.value_check import find_unknown, read_defaults, require_known_values
from platform_cli.cluster.value_site import merge
from platform_cli.cluster.work import CrdSet, RemoveRelease
from platform_cli.config import Charts, Config
from platform_cli.errors import ConfigError, PreflightError, RefusedError, StateError, ToolError
from platform_cli.tools.helm import open_renderer
from platform_cli.tools.helm_crds import render_crds
from platform_cli.tools.helm_manifest import load_yaml, parse_manifests

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
PAIRS = [(cloud, item) for cloud in CLOUDS for item in select(cloud) if not item.is_ours]


def by_name(components: tuple[Component, ...]) -> dict[str, Component]:
    return {item.name: item for item in components}


@cache
def values_of(cloud: str, name: str) -> dict[str, Any]:
    return build_values(by_name(select(cloud))[name], make_config(cloud), make_outputs(cloud))


# --- the list ---------------------------------------------------------------------------------------------------------


def test_components_come_after_what_they_need() -> None:
    seen: set[str] = set()
    for item in read_components():
        assert set(item.needs) <= seen, item.name
        seen.add(item.name)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_needs_name_only_what_is_selected(cloud: str) -> None:
    names = {item.name for item in select(cloud)}
    for item in select(cloud):
        assert set(item.needs) <= names


def test_what_is_skipped_hands_its_needs_on() -> None:
    names = by_name(select("existing", components={"skip": ["kserve-crd", "cert-manager"]}))
    assert "kserve-crd" not in names
    assert names["kserve-resources"].needs == ("platform",)


def test_clouds_get_what_is_theirs() -> None:
    names = {cloud: {item.name for item in select(cloud)} for cloud in CLOUDS}
    assert {"karpenter", "karpenter-crd", "aws-load-balancer-controller"} <= names["aws"]
    assert not {"karpenter", "aws-load-balancer-controller"} & names["gcp"]
    assert "keda" not in names["azure"]
    assert "nvidia-device-plugin" not in names["gcp"]
    assert {"external-secrets", "platform-secrets"} <= names["azure"]
    assert not {"external-secrets", "platform-secrets"} & (names["local"] | names["existing"])


def test_another_autoscaler_leaves_karpenter_out() -> None:
    outputs = make_outputs("aws", autoscaler={"kind": "cluster-autoscaler", "settings": {}})
    names = {item.name for item in select_components(read_components(), make_config("aws"), outputs)}
    assert "karpenter" not in names
    assert "mlflow" in names


def test_optional_ones_and_all_can_be_left_out() -> None:
    plain = Config.model_validate({"version": 1, "cloud": "existing"})
    assert "gateway" not in by_name(select_components(read_components(), plain, existing_outputs(plain)))
    assert select("aws", components={"install": False}) == ()


def test_names_of_components_are_checked_all_at_once() -> None:
    config = make_config("existing", components={"skip": ["kedaa"], "enable": ["karpenter"], "values": {"mlfow": {}}})
    with pytest.raises(ConfigError) as caught:
        select_components(read_components(), config, existing_outputs(config))
    assert caught.value.details == (
        "components.skip: there is no component kedaa, did you mean keda?",
        "components.values: there is no component mlfow, did you mean mlflow?",
        "components.enable: karpenter is not for existing",
    )


BAD_LIST = """\
version: 1
components:
  a: {summary: s, chart: a, version: "1", repository: https://x.example/charts, namespace: n, clouds: [moon]}
  b: {summary: s, chart: b, version: 1.0.0, repository: "", namespace: N, clouds: [aws], health: [pod/x], colour: red}
"""


def test_every_mistake_in_the_list_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "releases.yaml"
    file.write_text(BAD_LIST)
    with pytest.raises(ConfigError, match="5 problems") as caught:
        read_components(file)
    text = "\n".join(caught.value.details)
    for word in ("a.version", "a.clouds", "b.namespace", "b.health", "b.colour", "releases.yaml:3", "releases.yaml:4"):
        assert word in text


def test_unknown_needs_and_circles_are_refused(tmp_path: Path) -> None:
    base = "summary: s, chart: a, version: 1.0.0, repository: '', namespace: n, clouds: [aws]"
    file = tmp_path / "releases.yaml"
    file.write_text(f"version: 1\ncomponents:\n  a: {{{base}, needs: [c]}}\n  b: {{{base}, needs: [bb]}}\n"
                    f"  c: {{{base}, needs: [a]}}\n")  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        read_components(file)
    assert any("b.needs: there is no component bb, did you mean b?" in line for line in caught.value.details)
    assert any("in a circle" in line and "a needs c" in line for line in caught.value.details)


def test_pins_are_the_ones_whose_values_we_know() -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the charts' values beside the checkout")
    for item in read_components():
        if not item.is_ours and (SHARED / "charts" / item.chart).is_dir():
            assert (SHARED / "charts" / item.chart / item.version).is_dir(), item.name


def test_crds_are_the_ones_that_the_projects_publish() -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the custom resource definitions beside the checkout")
    texts = [path.read_text("utf-8") for path in sorted((SHARED / "crds").glob("*/*.yaml"))]
    published = {name for text in texts for name in re.findall(r"(?m)^  name: (\S+\.\S+)$", text)}
    for item in read_components():
        assert set(item.crds) <= published, item.name


# --- outputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", CLOUDS)
def test_outputs_survive_being_written_and_read(cloud: str) -> None:
    outputs = make_outputs(cloud)
    text = json.dumps(dataclasses.asdict(outputs), default=list)
    assert parse_outputs({**json.loads(text), "something_else": 1}) == outputs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"database": {"engine": "postgres", "port": "many"}}, "$.database.port"),
        ({"identities": {"mlflow": {"namespace": "mlflow"}}}, "service_account"),
        ({"registry_url": None}, "$.registry_url"),
    ],
)
def test_outputs_of_another_shape_are_refused_by_path(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StateError) as caught:
        make_outputs("aws", **changes)
    assert words in caught.value.message


# --- values -----------------------------------------------------------------------------------------------------------


@cache
def known_keys(folder: Path) -> dict[str, Any]:
    return read_defaults(folder)


@pytest.mark.parametrize(("cloud", "component"), PAIRS, ids=[f"{cloud}-{item.name}" for cloud, item in PAIRS])
def test_values_use_keys_that_the_chart_knows(cloud: str, component: Component) -> None:
    folder = SHARED / "charts" / component.chart / component.version
    values = values_of(cloud, component.name)
    if not folder.is_dir():
        assert values == {} or not SHARED.is_dir(), f"{component.name}: values for a chart that nobody could read"
        pytest.skip("needs the charts' values beside the checkout")
    assert find_unknown(values, known_keys(folder)) == ()


WITH_SCHEMA = [
    (cloud, item)
    for cloud, item in PAIRS
    if (SHARED / "charts" / item.chart / item.version / "values.schema.json").is_file()
]


@pytest.mark.skipif(not WITH_SCHEMA, reason="needs the charts' schemas beside the checkout")
@pytest.mark.parametrize(
    ("cloud", "component"), WITH_SCHEMA, ids=[f"{cloud}-{item.name}" for cloud, item in WITH_SCHEMA]
)
def test_values_fit_the_charts_own_schema(cloud: str, component: Component) -> None:
    import jsonschema

    folder = SHARED / "charts" / component.chart / component.version
    defaults = load_yaml((folder / "values.yaml").read_text()) or {}
    schema = json.loads((folder / "values.schema.json").read_text())
    errors = jsonschema.Draft7Validator(schema).iter_errors(merge(defaults, values_of(cloud, component.name)))
    assert [f"{list(error.path)}: {error.message}" for error in errors] == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_stand_ins_have_the_keys_that_our_values_use(cloud: str, stand_in_charts: Path) -> None:
    charts = Charts(source="folder", path=str(stand_in_charts))
    for item in select(cloud):
        if item.chart.startswith("kserve") and find_kserve() is None:
            continue
        require_known_values(item, values_of(cloud, item.name), find_chart(item, charts))


def test_stand_ins_have_no_key_that_the_public_chart_lacks(stand_in_charts: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the charts' values beside the checkout")
    for item in read_components():
        folder, chart = SHARED / "charts" / item.chart / item.version, stand_in_charts / item.chart
        if folder.is_dir() and chart.is_dir() and "kserve" not in item.chart:
            assert find_unknown(read_defaults(chart), known_keys(folder)) == (), item.name


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_chart_renders_on_every_cloud(cloud: str, stand_in_charts: Path) -> None:
    if find_kserve() is None:
        pytest.skip("needs KServe's charts in Go's module cache")
    helm, charts = open_renderer(), Charts(source="folder", path=str(stand_in_charts))
    for item in select(cloud):
        values = merge(values_of(cloud, item.name), OVERRIDES.get(item.name, {}))
        given = {"name": item.release, "namespace": item.namespace, "values": values, "kube_version": "1.35"}
        made = helm.render(find_chart(item, charts), **given)
        workloads = {f"{found['kind'].lower()}/{found['metadata']['name']}" for found in made}
        if item.chart != "platform":
            assert set(item.health) <= workloads, item.name
        crds = {found["metadata"]["name"] for found in made if found["kind"] == "CustomResourceDefinition"}
        crds |= {found["metadata"]["name"] for found in list_crds(find_chart(item, charts))}
        assert crds >= set(item.crds) - OMITTED, item.name


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_release_takes_definitions_along(cloud: str, stand_in_charts: Path) -> None:
    """Each is in the `crds` folder, kept by the chart's own value, or no part of a release."""
    if find_kserve() is None:
        pytest.skip("needs KServe's charts in Go's module cache")
    helm, charts = open_renderer(), Charts(source="folder", path=str(stand_in_charts))
    for item in select(cloud):
        # What is for Kind alone goes with the cluster.
        if item.is_release and item.clouds != {"local"}:
            values = merge(values_of(cloud, item.name), OVERRIDES.get(item.name, {}))
            chart = find_chart(item, charts)
            for found in helm.render(chart, name=item.release, namespace=item.namespace, values=values):
                if found["kind"] == "CustomResourceDefinition":
                    annotations = found["metadata"].get("annotations") or {}
                    assert annotations.get("helm.sh/resource-policy") == "keep", found["metadata"]["name"]


def test_kserves_definitions_are_applied_and_no_release(stand_in_charts: Path) -> None:
    if find_kserve() is None:
        pytest.skip("needs KServe's charts in Go's module cache")
    config = make_config("existing", charts={"source": "folder", "path": str(stand_in_charts)})
    chosen = [item for item in select("existing") if item.name in ("kserve-crd", "mlflow")]
    stages = {stage.name: stage.work for stage in list_stages(open_packages(chosen, config, existing_outputs(config)))}
    work = stages["kserve-crd"]
    assert isinstance(work, CrdSet)
    assert set(work.digests) == set(by_name(tuple(chosen))["kserve-crd"].crds)
    removals = {stage.name: stage.work for stage in list_removals(chosen, keep_data=False)}
    assert removals["remove-kserve-crd"] == RemoveRelease("kserve-crd", "kserve-crd", "mlops", keeps=True)
    assert removals["remove-mlflow"] == RemoveRelease("mlflow", "mlflow", "mlflow")


def test_a_chart_of_definitions_that_makes_something_else_is_refused(stand_in_charts: Path) -> None:
    with pytest.raises(ToolError, match="chart keda makes Deployment/keda-admission-webhooks") as caught:
        render_crds(stand_in_charts / "keda", name="keda", namespace="keda", values={})
    assert "Deployment/keda-operator" in caught.value.details


# The public chart leaves out what its stand-in need not have.
OMITTED: set[str] = set()


@pytest.mark.parametrize("cloud", CLOUDS)
def test_values_hold_no_secret(cloud: str) -> None:
    secretive = ("password", "secretkey", "accesskey", "token", "connectionstring")

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                plain = str(key).lower().replace("_", "").replace("-", "")
                if isinstance(inner, str) and plain.endswith(secretive):
                    assert inner in NAMES, f"{path}.{key}"
                walk(inner, f"{path}.{key}")

    for item in select(cloud):
        values = values_of(cloud, item.name)
        walk({key: value for key, value in values.items() if key != "pipelines"}, item.name)


# Keys of Secrets, not their content.
NAMES = {"password", "access-key", "secret-key", "username", "key"}


def test_users_values_win_and_lists_are_replaced() -> None:
    own = {
        "mlflow": {"serverAllowedHosts": ["*"], "resources": {"limits": {"memory": "4Gi"}}, "extraEnvVars": {"A": "1"}}
    }
    config = make_config("existing", components={"values": own})
    values = build_values(by_name(select("existing"))["mlflow"], config, existing_outputs(config))
    assert values["serverAllowedHosts"] == ["*"]
    assert values["resources"]["requests"] == {"cpu": "100m", "memory": "512Mi"}
    assert values["resources"]["limits"] == {"memory": "4Gi"}
    assert values["extraEnvVars"]["MLFLOW_PORT"] == "5000"


def test_misspelt_values_are_refused_with_what_was_meant(stand_in_charts: Path) -> None:
    component = by_name(select("existing"))["mlflow"]
    chart = find_chart(component, Charts(source="folder", path=str(stand_in_charts)))
    with pytest.raises(ConfigError) as caught:
        require_known_values(component, {"serivce": {}, "service": {"prot": 1}, "resources": {"any": 1}}, chart)
    assert caught.value.details == (
        "components.values.mlflow.serivce: unknown key, did you mean service?",
        "components.values.mlflow.service.prot: unknown key, did you mean port?",
    )


def test_argo_writes_to_each_clouds_store_with_its_own_identity() -> None:
    aws = values_of("aws", "argo-workflows")
    assert aws["artifactRepository"]["s3"] == {
        "bucket": "bucket-argo",
        "endpoint": "s3.eu-west-1.amazonaws.com",
        "insecure": False,
        "region": "eu-west-1",
        "useSDKCreds": True,
    }
    assert aws["useStaticCredentials"] is False
    azure = values_of("azure", "argo-workflows")
    assert azure["artifactRepository"]["azure"] == {
        "container": "bucket-argo",
        "endpoint": "https://account.blob.core.windows.net",
        "useSDKCreds": True,
    }
    labels = azure["controller"]["workflowDefaults"]["spec"]["podMetadata"]["labels"]
    assert labels == {"azure.workload.identity/use": "true"}
    assert values_of("gcp", "argo-workflows")["artifactRepository"]["gcs"] == {"bucket": "bucket-argo"}
    local = values_of("local", "argo-workflows")
    assert local["artifactRepository"]["s3"]["accessKeySecret"] == {"name": "object-store", "key": "access-key"}
    assert local["useStaticCredentials"] is True


def test_runs_are_archived_where_there_is_a_database() -> None:
    persistence = values_of("gcp", "argo-workflows")["controller"]["persistence"]
    assert persistence["postgresql"]["passwordSecret"] == {"name": "mlflow-database", "key": "password"}
    assert "persistence" not in values_of("local", "argo-workflows")["controller"]


def test_mlflow_keeps_what_it_is_given_beyond_a_restart() -> None:
    for cloud in CLOUDS:
        store = values_of(cloud, "mlflow")["backendStore"]
        on_disk = store.get("defaultSqlitePath", ":memory:").startswith("/")
        assert on_disk != bool(store.get("postgres", {}).get("enabled")), cloud
        assert values_of(cloud, "mlflow")["artifactRoot"]["proxiedArtifactStorage"] is True
    assert values_of("azure", "mlflow")["artifactRoot"]["azureBlob"] == {
        "enabled": True,
        "container": "bucket-mlflow",
        "storageAccount": "account",
        "path": "",
    }


def test_a_bucket_of_ones_own_is_used_with_its_keys_and_folder() -> None:
    store = {"uri": "s3://team/ml/", "endpoint": "https://minio.example:9000", "secret": "bucket-keys"}
    config = make_config("existing", existing={"artifact_store": store})
    outputs = existing_outputs(config)
    components = by_name(select_components(read_components(), config, outputs))
    s3 = build_values(components["argo-workflows"], config, outputs)["artifactRepository"]["s3"]
    assert s3["keyFormat"] == "ml/argo/{{workflow.name}}/{{pod.name}}"
    assert (s3["endpoint"], s3["insecure"]) == ("minio.example:9000", False)
    assert s3["secretKeySecret"] == {"name": "bucket-keys", "key": "secret-key"}
    mlflow = build_values(components["mlflow"], config, outputs)
    assert mlflow["artifactRoot"]["s3"]["path"] == "ml/mlflow"
    assert mlflow["extraEnvVars"]["MLFLOW_S3_ENDPOINT_URL"] == "https://minio.example:9000"
    assert build_values(components["platform"], config, outputs)["objectStore"]["enabled"] is False


def test_own_images_come_from_the_registry_that_is_said() -> None:
    assert values_of("aws", "mlflow")["image"]["repository"] == "registry.example/mlops/mlops-tracking"
    assert values_of("existing", "mlflow")["image"]["repository"] == "docker.io/library/mlops-tracking"
    config = make_config("aws", images={"registry": "harbor.example/ml/"})
    values = build_values(by_name(select("aws"))["mlflow"], config, make_outputs("aws"))
    assert values["image"]["repository"] == "harbor.example/ml/mlops-tracking"


def test_files_of_values_hold_differences_only() -> None:
    """A key that says what the common file says is no difference."""
    helm = ROOT / "infrastructure" / "helm"
    names = {item.name for item in read_components()}
    for path in sorted(helm.glob("*/*.yaml")):
        assert path.stem in names, path
        if path.parent.name == "common":
            continue
        common = helm / "common" / path.name
        own, below = yaml.safe_load(path.read_text()), yaml.safe_load(common.read_text()) if common.is_file() else {}
        assert list(repeated(own, below)) == [], path


def repeated(own: dict[str, Any], below: dict[str, Any]) -> Any:
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            yield from repeated(value, below[key])
        elif key in below and below[key] == value:
            yield key


# --- charts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def keda() -> Component:
    return by_name(select("existing"))["keda"]


def write_chart(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {version}\n")
    (folder / "values.yaml").write_text("image: {pullPolicy: Always}\n")
    return folder


def pack(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, arcname=folder.name)
    return archive


def test_a_chart_is_found_as_folder_and_as_archive(keda: Component, tmp_path: Path) -> None:
    charts = Charts(source="folder", path=str(tmp_path))
    with pytest.raises(PreflightError, match=r"no chart keda 2\.20\.2"):
        find_chart(keda, charts)
    made = write_chart(tmp_path / "build" / "keda", "keda", "2.20.2")
    archive = pack(made, tmp_path / "keda-2.20.2.tgz")
    assert find_chart(keda, charts) == archive
    assert read_defaults(archive) == {"image": {"pullPolicy": "Always"}}
    folder = write_chart(tmp_path / "keda", "keda", "2.20.2")
    assert find_chart(keda, charts) == folder


def test_another_version_and_what_is_no_chart_are_refused(keda: Component, tmp_path: Path) -> None:
    charts = Charts(source="folder", path=str(tmp_path))
    write_chart(tmp_path / "keda", "keda", "2.19.0")
    with pytest.raises(PreflightError, match=r"version 2\.19\.0, wanted is 2\.20\.2"):
        find_chart(keda, charts)
    (tmp_path / "keda" / "Chart.yaml").unlink()
    with pytest.raises(PreflightError, match="no chart"):
        find_chart(keda, charts)


def test_sources_need_their_places(keda: Component) -> None:
    with pytest.raises(ConfigError, match=r"charts\.path"):
        find_chart(keda, Charts(source="folder"))
    with pytest.raises(ConfigError, match=r"charts\.url"):
        find_chart(keda, Charts(source="oci"), environ={"XDG_CACHE_HOME": "/nowhere"})


def test_a_downloaded_chart_is_kept_and_a_failed_download_leaves_nothing(keda: Component, tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    component = dataclasses.replace(keda, repository="http://127.0.0.1:9/charts")
    with pytest.raises(Exception, match=r"keda 2\.20\.2 cannot be downloaded"):
        find_chart(component, Charts(), environ=environ)
    kept = tmp_path / "mlops" / "charts"
    assert list(kept.iterdir()) == []
    (kept / "keda-2.20.2.tgz").write_bytes(b"kept")
    assert find_chart(component, Charts(), environ=environ).read_bytes() == b"kept"


def test_a_chart_comes_from_a_repository(keda: Component, tmp_path: Path) -> None:
    """A real one, of one chart, on loopback."""
    import functools
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    import helm_python

    site = tmp_path / "site"
    site.mkdir()
    pack(write_chart(tmp_path / "keda", "keda", "2.20.2"), site / "keda-2.20.2.tgz")
    helm_python.repo_index_generate(site)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        component = dataclasses.replace(keda, repository=f"http://127.0.0.1:{server.server_port}")
        found = find_chart(component, Charts(), environ={"XDG_CACHE_HOME": str(tmp_path)})
        server.shutdown()
    assert found.read_bytes() == (site / "keda-2.20.2.tgz").read_bytes()


# --- bundles ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bundle(stand_in_charts: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    charts = Charts(source="folder", path=str(stand_in_charts))
    mirror_charts([item for item in select("existing") if "kserve" not in item.name], charts, folder)
    write_manifest(folder, describe_images(["registry.example/a:1", "registry.example/b@sha256:" + "0" * 64]))
    return folder


def test_a_bundle_is_verified_and_used(bundle: Path, keda: Component) -> None:
    assert verify_bundle(bundle) == ()
    assert find_chart(keda, Charts(source="folder", path=str(bundle))) == bundle / "charts" / "keda"
    images = json.loads((bundle / "bundle.json").read_text())["images"]
    assert images[1] == {"name": "registry.example/b", "digest": "sha256:" + "0" * 64, "source": "chart"}


def test_one_changed_byte_is_found(bundle: Path, keda: Component) -> None:
    file = bundle / "charts" / "keda" / "values.yaml"
    file.write_bytes(file.read_bytes() + b" ")
    (bundle / "charts" / "mlflow" / "values.yaml").unlink()
    (bundle / "charts" / "extra").write_text("x")
    assert [str(fault) for fault in verify_bundle(bundle)] == [
        "charts/extra: is not of the bundle",
        "charts/keda/values.yaml: has another SHA-256 than when it was written",
        "charts/mlflow/values.yaml: is missing",
    ]
    with pytest.raises(PreflightError, match="SHA-256"):
        find_chart(keda, Charts(source="folder", path=str(bundle)))


def test_a_folder_with_other_things_is_not_written_into(tmp_path: Path, keda: Component) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RefusedError):
        mirror_charts([keda], Charts(source="folder", path=str(tmp_path)), tmp_path)
    with pytest.raises(PreflightError, match="bundle"):
        verify_bundle(tmp_path)


def test_images_are_found_wherever_they_stand() -> None:
    settings = {"storageInitializer": {"image": "kserve/storage:v1"}}
    objects = [
        {"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "a:1", "args": ["--image=r.example/x/y:2"]}]}},
        {"kind": "Prometheus", "spec": {"image": "r.example/p@sha256:" + "1" * 64}},
        {"kind": "ConfigMap", "data": {"storage": json.dumps(settings), "text": "image: no:1"}},
        {"kind": "ConfigMap", "data": {"gateway.yaml": "limit:\n  image: r.example/limit:3\n", "a.yaml": "{"}},
        {
            "kind": "Pod",
            "spec": {"args": ["--level", "info", "--executor-image", "r.example/exec:4", "--image", "--x"]},
        },
        {"kind": "Pod", "env": [{"name": "INIT_IMAGE", "value": "r.example/i:5"}, {"name": "A", "value": "b:1"}]},
        {"kind": "Pod", "env": [{"name": "RELATED_IMAGE_NODE", "value": "r.example/n:6"}]},
        {"kind": "Thing", "spec": {"image": "", "args": ["--url=http://a.example/b:1", "--level=info"]}},
    ]
    digest = "r.example/p@sha256:" + "1" * 64
    told = ("r.example/exec:4", "r.example/i:5", "r.example/limit:3", "r.example/n:6")
    assert list_images(objects) == tuple(sorted(("a:1", "kserve/storage:v1", digest, "r.example/x/y:2", *told)))


def test_what_operators_start_is_of_the_charts_version() -> None:
    """Their names stand in the operators' code: a new version of a chart brings others."""
    found = {item.name: item.images for item in read_components() if item.images}
    assert set(found) == {"calico", "gateway"}
    versions = {item.name: item.version for item in read_components()}
    assert {image.rpartition(":")[2] for image in found["calico"]} == {versions["calico"]}
    folder = SHARED / "charts" / "tigera-operator" / versions["calico"]
    if not folder.is_dir():
        pytest.skip("needs the charts' values beside the checkout")
    assert read_defaults(folder)["calicoctl"]["tag"] == versions["calico"]


def test_envoy_is_the_one_that_its_operator_starts() -> None:
    gateway = by_name(read_components())["gateway"]
    code = find_module(f"github.com/envoyproxy/gateway@{gateway.version}") / "api/v1alpha1/shared_types.go"
    if not code.is_file():
        pytest.skip("needs Envoy Gateway's code in Go's module cache")
    assert re.findall(r'DefaultEnvoyProxyImage\s*=\s*"([^"]+)"', code.read_text()) == list(gateway.images)


# --- GitOps -----------------------------------------------------------------------------------------------------------


@cache
def tree(cloud: str) -> dict[str, str]:
    config = make_config(cloud, gitops={"repository": "https://git.example/team/platform.git"})
    return render_tree(select(cloud), config, make_outputs(cloud))


def test_the_tree_for_argo_cd(golden: Callable[[str, str], None]) -> None:
    short = {name: text for name, text in tree("aws").items() if not name.startswith(("values/", "charts/"))}
    golden("gitops-aws.yaml", "".join(f"# --- {name}\n{text}" for name, text in short.items()))


def test_the_tree_is_the_same_each_time() -> None:
    first = dict(tree("azure"))
    tree.cache_clear()
    assert tree("azure") == first


def test_each_component_is_an_application_after_what_it_needs() -> None:
    ours = {item.name for item in list_bootstrap(select("aws"))}
    rest = [item for item in select("aws") if item.name not in ours]
    waves = list_waves(rest)
    assert {name for name in tree("aws") if name.startswith("applications/")} == {
        f"applications/{item.name}.yaml" for item in rest
    }
    for item in rest:
        application = yaml.safe_load(tree("aws")[f"applications/{item.name}.yaml"])
        assert application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == str(waves[item.name])
        assert all(waves[need] < waves[item.name] for need in item.needs if need not in ours)
        assert yaml.safe_load(tree("aws")[f"values/{item.name}.yaml"]) == values_of("aws", item.name)


def test_the_tree_fits_argo_cds_definitions() -> None:
    import jsonschema

    crds = SHARED / "crds" / "argo-cd-v3.4.4"
    if not crds.is_dir():
        pytest.skip("needs the custom resource definitions beside the checkout")
    for kind, file in (("Application", "application-crd.yaml"), ("AppProject", "appproject-crd.yaml")):
        crd = next(iter(parse_manifests([(crds / file).read_text()], what=file)))
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for text in tree("gcp").values():
            document = next(iter(yaml.safe_load_all(text)), None) if "kind: " + kind in text else None
            if document and document.get("kind") == kind:
                assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(document)] == []


def test_argo_cd_leaves_definitions_when_their_application_goes() -> None:
    definitions, user = (yaml.safe_load(tree("aws")[f"applications/{name}.yaml"]) for name in ("kserve-crd", "mlflow"))
    assert "finalizers" not in definitions["metadata"]
    assert definitions["spec"]["syncPolicy"]["automated"]["prune"] is False
    assert user["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
    assert user["spec"]["syncPolicy"]["automated"]["prune"] is True


def test_writing_the_tree_again_changes_nothing_and_what_is_gone_goes(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert len(write_tree(tree("local"), tmp_path)) == len(tree("local"))
    assert write_tree(tree("local"), tmp_path) == ()
    (tmp_path / "applications" / "old.yaml").write_text("x")
    assert write_tree(tree("local"), tmp_path) == ("applications/old.yaml",)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_command_line_keeps_argo_cd_and_what_it_needs() -> None:
    assert [item.name for item in list_bootstrap(select("existing"))] == ["platform", "argo-cd"]
    assert {item.name for item in list_bootstrap(select("azure"))} == {
        "platform",
        "external-secrets",
        "platform-secrets",
        "argo-cd",
    }


def test_a_tree_without_repository_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gitops\.repository"):
        render_tree(select("existing"), make_config("existing"), make_outputs("existing"))


# --- the commands -----------------------------------------------------------------------------------------------------


def mlops(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    import os

    environ = {key: value for key, value in os.environ.items() if not key.startswith("MLOPS_")}
    program = [sys.executable, "-m", "platform_cli.cli.start"]
    environ |= {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", **variables}
    return subprocess.run([*program, *words], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_charts_are_listed_mirrored_and_verified(tmp_path: Path, stand_in_charts: Path) -> None:
    skips = json.dumps(["kserve-crd", "kserve-resources"])
    variables = {
        "MLOPS_CHARTS_SOURCE": "folder",
        "MLOPS_CHARTS_PATH": str(stand_in_charts),
        "MLOPS_COMPONENTS_SKIP": skips,
    }
    done = mlops(tmp_path, "charts", "list", "--cloud", "existing", "-o", "json", **variables)
    assert done.returncode == 0, done.stderr
    names = {item["name"]: item for item in json.loads(done.stdout)["charts"]}
    assert names["mlflow"]["version"] == "1.11.5"
    done = mlops(
        tmp_path, "charts", "mirror", "bundle", "--cloud", "existing", "-o", "json", "--no-digests", **variables
    )
    assert done.returncode == 0, done.stderr
    images = json.loads(done.stdout)["images"]
    assert "quay.io/argoproj/workflow-controller:v4.0.7" in images
    assert "quay.io/argoproj/argoexec:v4.0.7" in images
    assert mlops(tmp_path, "charts", "verify", "bundle").returncode == 0
    (tmp_path / "bundle" / "images.txt").write_text("registry.example/evil:1\n")
    done = mlops(tmp_path, "charts", "verify", "bundle")
    assert done.returncode == StateError.exit_code
    assert "images.txt: has another SHA-256" in done.stderr


def test_the_tree_is_rendered_by_the_command(tmp_path: Path) -> None:
    variables = {"MLOPS_GITOPS_REPOSITORY": "https://git.example/team/platform.git"}
    done = mlops(tmp_path, "gitops", "render", "--cloud", "existing", "-o", "json", **variables)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "gitops" / "root.yaml").is_file()
    done = mlops(tmp_path, "gitops", "render", "--cloud", "existing", "-o", "json", **variables)
    assert json.loads(done.stdout)["changed"] == []
    assert mlops(tmp_path, "gitops", "render", "--cloud", "existing").returncode == ConfigError.exit_code
    assert "has no components" in mlops(tmp_path, "charts", "list", "--cloud", "embedded").stderr

"""Both ways to Helm, held to the same behaviour: the program through pyhelm3, and the library."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_cli.cluster.access import Access
from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError
from platform_cli.tools.helm import Helm, find_helm, open_helm, open_renderer
from platform_cli.tools.helm_library import HelmLibrary
from platform_cli.tools.helm_program import HelmProgram

PROGRAM = shutil.which("helm")
SECRET = "s3cr3t-value-of-a-test"
Open = Callable[[Access | None], Helm]


def open_program(access: Access | None) -> Helm:
    if PROGRAM is None:
        pytest.skip("no helm program on PATH")
    return HelmProgram(access, PROGRAM, timeout_s=20)


def open_library(access: Access | None) -> Helm:
    return HelmLibrary(access, timeout_s=20)


@pytest.fixture(params=[open_program, open_library], ids=["program", "library"])
def opener(request: pytest.FixtureRequest) -> Open:
    return request.param


@pytest.fixture
def renderer(opener: Open) -> Helm:
    return opener(None)


def write_chart(root: Path, files: dict[str, str], *, version: str = "1.0.0") -> Path:
    chart = root / "demo"
    everything = {
        "Chart.yaml": f"apiVersion: v2\nname: demo\nversion: {version}\n",
        "values.yaml": "size: 1\n",
        **files,
    }
    for name, text in everything.items():
        (chart / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / name).write_text(textwrap.dedent(text))
    return chart


CONFIG_MAP = """\
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: {{ .Release.Name }}-settings, namespace: {{ .Release.Namespace }}}
    data: {size: {{ .Values.size | quote }}}
"""
HOOK = """\
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: early, annotations: {helm.sh/hook: pre-install}}
"""
CRD = """\
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: things.example.org}
"""


def names(objects: tuple[dict[str, Any], ...]) -> list[str]:
    return [f"{item['kind']}/{item['metadata']['name']}" for item in objects]


def test_a_chart_is_rendered_with_the_values(renderer: Helm, tmp_path: Path) -> None:
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP, "templates/NOTES.txt": "well done"})
    (found,) = renderer.render(chart, name="one", namespace="far", values={"size": 7})
    assert found == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "one-settings", "namespace": "far"},
        "data": {"size": "7"},
    }


def test_kinds_come_in_the_order_in_which_helm_applies_them(renderer: Helm, tmp_path: Path) -> None:
    text = "kind: Deployment\nmetadata: {name: z}\n---\nkind: Custom\nmetadata: {name: c}\n---\n# nothing\n---\n"
    text += "kind: Namespace\nmetadata: {name: ns}\n---\nkind: Secret\nmetadata: {name: s}\n"
    text = text.replace("kind:", "apiVersion: v1\nkind:")
    chart = write_chart(tmp_path, {"templates/a.yaml": text})
    found = renderer.render(chart, name="one", namespace="far", values={})
    assert names(found) == ["Namespace/ns", "Secret/s", "Deployment/z", "Custom/c"]


def test_hooks_and_crds_are_no_part_of_a_rendered_release(renderer: Helm, tmp_path: Path) -> None:
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP, "templates/b.yaml": HOOK, "crds/c.yaml": CRD})
    given = {"name": "one", "namespace": "far", "values": {}}
    assert names(renderer.render(chart, **given)) == ["ConfigMap/one-settings"]
    assert names(renderer.render(chart, **given, hooks=True)) == ["ConfigMap/early", "ConfigMap/one-settings"]


def test_charts_see_the_kubernetes_version_and_what_the_cluster_serves(renderer: Helm, tmp_path: Path) -> None:
    text = CONFIG_MAP.replace(
        "size: {{ .Values.size | quote }}",
        "minor: {{ .Capabilities.KubeVersion.Minor | quote }}, "
        'monitors: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}',
    )
    chart = write_chart(tmp_path, {"templates/a.yaml": text})
    given = {"name": "one", "namespace": "far", "values": {}, "kube_version": "1.35"}
    (without,) = renderer.render(chart, **given)
    (served,) = renderer.render(chart, **given, api_versions=["monitoring.coreos.com/v1"])
    assert without["data"] == {"minor": "35", "monitors": "false"}
    assert served["data"] == {"minor": "35", "monitors": "true"}


def test_yaml_is_read_as_kubernetes_reads_it(renderer: Helm, tmp_path: Path) -> None:
    text = "kind: A\nmetadata: {name: a}\nmatch: =\nday: 2026-01-02\ntime: 12:30:45\nsize: 1e3\n"
    long = "kind: B\nmetadata: {name: b}\nmax: 9223372036854775807\nrule: |\n  ---\n  text\n"
    chart = write_chart(tmp_path, {"templates/a.yaml": f"{text}--- # next\n{long}---\n"})
    found, exact = renderer.render(chart, name="one", namespace="far", values={})
    assert (found["match"], found["day"], found["time"], found["size"]) == ("=", "2026-01-02", "12:30:45", 1000)
    assert (exact["max"], exact["rule"]) == (2**63 - 1, "---\ntext\n")


@pytest.mark.parametrize(
    ("files", "values", "words"),
    [
        ({"templates/a.yaml": "{{ fail `the door is shut` }}"}, {}, "the door is shut"),
        ({"templates/a.yaml": "{{ .Values.absent.deeper }}"}, {}, "nil pointer"),
        ({"templates/a.yaml": "{{ if }}"}, {}, "parse"),
        ({"values.schema.json": '{"properties": {"size": {"type": "integer"}}}'}, {"size": "big"}, "size"),
    ],
    ids=["fail", "value-absent", "template-broken", "schema"],
)
def test_a_chart_that_cannot_be_rendered_says_why(
    renderer: Helm, tmp_path: Path, files: dict[str, str], values: dict[str, Any], words: str
) -> None:
    chart = write_chart(tmp_path, files)
    with pytest.raises(ToolError) as caught:
        renderer.render(chart, name="one", namespace="far", values=values)
    assert "chart demo" in caught.value.message
    assert words in "\n".join((caught.value.message, *caught.value.details))


@pytest.mark.parametrize("text", ["just words", "- a\n- list", "a: 1"])
def test_a_chart_that_makes_no_objects_is_refused(renderer: Helm, tmp_path: Path, text: str) -> None:
    chart = write_chart(tmp_path, {"templates/a.yaml": text})
    with pytest.raises(ToolError):
        renderer.render(chart, name="one", namespace="far", values={})


def test_a_folder_without_chart_is_refused(renderer: Helm, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="chart nothing"):
        renderer.render(tmp_path / "nothing", name="one", namespace="far", values={})


def test_a_renderer_changes_no_cluster(renderer: Helm) -> None:
    with pytest.raises(PreflightError):
        renderer.list()


def test_both_render_the_same(tmp_path: Path) -> None:
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP, "templates/b.yaml": HOOK, "crds/c.yaml": CRD})
    given = {"name": "one", "namespace": "far", "values": {"size": 3}, "hooks": True}
    assert open_program(None).render(chart, **given) == open_library(None).render(chart, **given)


def test_rendering_takes_the_library_and_a_cluster_takes_the_program(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "helm").write_text("#!/bin/sh\n")
    (folder / "helm").chmod(0o755)
    access = Access({"clusters": [], "contexts": []}, "none")
    assert isinstance(open_renderer(environ={"PATH": str(folder)}), HelmLibrary)
    assert isinstance(open_helm(access, environ={"PATH": str(folder)}), HelmProgram)
    assert isinstance(open_helm(access, environ={"PATH": str(tmp_path)}), HelmLibrary)
    assert find_helm({"PATH": str(tmp_path)}) is None


def test_a_cluster_that_does_not_answer_is_named(opener: Open) -> None:
    with pytest.raises(PreflightError) as caught:
        opener(unreachable()).list()
    assert "127.0.0.1:9" in "\n".join((caught.value.message, *caught.value.details))


def unreachable() -> Access:
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
    user = {"name": "c", "user": {"token": SECRET}}
    document = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "users": [user]}
    return Access({**document, "current-context": "c"}, "c")


# --- on a real cluster ------------------------------------------------------------------------------------------------


@pytest.fixture
def helm(opener: Open, access: Access) -> Helm:
    return opener(access)


@pytest.fixture
def namespace(cluster: str) -> Iterator[str]:
    """A namespace of its own; Helm makes it."""
    name = f"helm-{uuid.uuid4().hex[:8]}"
    yield name
    kubectl(cluster, "delete", "namespace", name, "--ignore-not-found", "--wait=false")


def kubectl(cluster: str, *words: str) -> str:
    done = subprocess.run(["kubectl", "--kubeconfig", cluster, *words], capture_output=True, text=True, check=True)
    return done.stdout


def find(helm: Helm, namespace: str) -> list[tuple[str, int, str, str, str]]:
    found = [release for release in helm.list() if release.namespace == namespace]
    return [(item.name, item.revision, item.status, item.chart, item.version) for item in found]


@pytest.mark.cluster
def test_a_release_lives_and_ends(helm: Helm, cluster: str, namespace: str, tmp_path: Path) -> None:
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP, "crds/c.yaml": CRD})
    first = helm.apply(chart, name="one", namespace=namespace, values={"size": 1})
    assert (first.revision, first.status, first.chart, first.version) == (1, "deployed", "demo", "1.0.0")
    newer = write_chart(tmp_path, {}, version="1.1.0-rc.1")
    assert helm.apply(newer, name="one", namespace=namespace, values={"size": 2}).revision == 2
    assert find(helm, namespace) == [("one", 2, "deployed", "demo", "1.1.0-rc.1")]
    assert helm.manifest("one", namespace)[0]["data"] == {"size": "2"}
    helm.rollback("one", namespace, 1)
    assert find(helm, namespace) == [("one", 3, "deployed", "demo", "1.0.0")]
    assert kubectl(cluster, "get", "-n", namespace, "configmap/one-settings", "-o", "jsonpath={.data.size}") == "1"
    assert "things.example.org" not in kubectl(cluster, "get", "crds", "-o", "name")
    helm.uninstall("one", namespace)
    helm.uninstall("one", namespace)
    assert find(helm, namespace) == []
    assert kubectl(cluster, "get", "-n", namespace, "configmap/one-settings", "--ignore-not-found") == ""


@pytest.mark.cluster
def test_what_is_not_there_is_not_found(helm: Helm, namespace: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="release one"):
        helm.manifest("one", namespace)
    with pytest.raises(NotFoundError):
        helm.rollback("one", namespace, 1)
    helm.apply(write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP}), name="one", namespace=namespace, values={})
    with pytest.raises(NotFoundError):
        helm.rollback("one", namespace, 7)


@pytest.mark.cluster
def test_a_failed_first_revision_is_listed_and_upgraded(helm: Helm, namespace: str, tmp_path: Path) -> None:
    broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n"
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP, "templates/b.yaml": broken})
    with pytest.raises(ToolError, match="release one") as caught:
        helm.apply(chart, name="one", namespace=namespace, values={})
    assert "Not_A_Name" in "\n".join((caught.value.message, *caught.value.details))
    assert [item[:3] for item in find(helm, namespace)] == [("one", 1, "failed")]
    (chart / "templates/b.yaml").unlink()
    assert helm.apply(chart, name="one", namespace=namespace, values={}).status == "deployed"


@pytest.mark.cluster
def test_what_is_there_already_becomes_the_releases(helm: Helm, cluster: str, namespace: str, tmp_path: Path) -> None:
    kubectl(cluster, "create", "namespace", namespace)
    kubectl(cluster, "create", "configmap", "one-settings", "-n", namespace, "--from-literal=size=9")
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP})
    helm.apply(chart, name="one", namespace=namespace, values={"size": 1})
    helm.apply(chart, name="one", namespace=namespace, values={"size": 2})
    assert kubectl(cluster, "get", "-n", namespace, "configmap/one-settings", "-o", "jsonpath={.data.size}") == "2"


@pytest.mark.cluster
@pytest.mark.parametrize("revision", [1, 2])
def test_a_pending_release_refuses_until_it_is_repaired(
    helm: Helm, cluster: str, namespace: str, tmp_path: Path, revision: int
) -> None:
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP})
    for size in range(revision):
        helm.apply(chart, name="one", namespace=namespace, values={"size": size})
    status = {1: "pending-install", 2: "pending-upgrade"}[revision]
    leave_pending(cluster, namespace, revision, status)
    assert [item[:3] for item in find(helm, namespace)] == [("one", revision, status)]
    with pytest.raises(ToolError, match="in progress"):
        helm.apply(chart, name="one", namespace=namespace, values={})
    if revision == 1:
        helm.uninstall("one", namespace)
    else:
        helm.rollback("one", namespace, 1)
    assert helm.apply(chart, name="one", namespace=namespace, values={"size": 5}).status == "deployed"
    assert helm.manifest("one", namespace)[0]["data"] == {"size": "5"}


def leave_pending(cluster: str, namespace: str, revision: int, status: str) -> None:
    """What a killed Helm leaves: its record, in the state in which it was."""
    import base64
    import gzip
    import json

    name = f"secret/sh.helm.release.v1.one.v{revision}"
    text = kubectl(cluster, "get", "-n", namespace, name, "-o", "jsonpath={.data.release}")
    record = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(text))))
    record["info"]["status"] = status
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(record).encode()))).decode()
    patch = json.dumps({"data": {"release": packed}, "metadata": {"labels": {"status": status}}})
    kubectl(cluster, "patch", "-n", namespace, name, "--type=merge", "-p", patch)


@pytest.mark.cluster
def test_the_program_and_the_library_continue_each_others_releases(
    access: Access, namespace: str, tmp_path: Path
) -> None:
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP})
    adapters = [open_library(access), open_program(access), open_library(access), open_program(access)]
    revisions = [
        helm.apply(chart, name="one", namespace=namespace, values={"size": size}).revision
        for size, helm in enumerate(adapters)
    ]
    assert revisions == [1, 2, 3, 4]
    assert adapters[0].list() == adapters[1].list()
    assert adapters[0].manifest("one", namespace) == adapters[1].manifest("one", namespace)


@pytest.mark.cluster
def test_values_stand_in_no_command_line(access: Access, namespace: str, tmp_path: Path) -> None:
    """The program is one that keeps its own command line and environment before it becomes the real one."""
    if PROGRAM is None:
        pytest.skip("no helm program on PATH")
    spy, kept = tmp_path / "helm", tmp_path / "kept"
    spy.write_text(f'#!/bin/sh\ntr "\\0" " " < /proc/$$/cmdline >> {kept}\nenv >> {kept}\nexec {PROGRAM} "$@"\n')
    spy.chmod(0o755)
    chart = write_chart(tmp_path, {"templates/a.yaml": CONFIG_MAP})
    helm = HelmProgram(access, str(spy))
    helm.apply(chart, name="one", namespace=namespace, values={"size": SECRET})
    assert helm.manifest("one", namespace)[0]["data"] == {"size": SECRET}
    assert "--kubeconfig" in kept.read_text()
    assert SECRET not in kept.read_text()


@pytest.mark.cluster
def test_a_hook_that_never_ends_is_given_up(opener: Open, access: Access, namespace: str, tmp_path: Path) -> None:
    never = """\
        apiVersion: batch/v1
        kind: Job
        metadata: {name: never, annotations: {helm.sh/hook: pre-install}}
        spec:
          template:
            spec: {restartPolicy: Never, containers: [{name: a, image: "example.invalid/none:1"}]}
    """
    chart = write_chart(tmp_path, {"templates/a.yaml": never})
    helm: Any = type(opener(access))
    short = helm(access, PROGRAM, timeout_s=2) if helm is HelmProgram else helm(access, timeout_s=2)
    with pytest.raises(MlopsError, match="release one"):
        short.apply(chart, name="one", namespace=namespace, values={})
    assert [item[:3] for item in find(short, namespace)] == [("one", 1, "failed")]


def test_the_adapters_load_only_when_a_cluster_is_asked_for() -> None:
    code = "import sys, platform_cli.tools.helm; print([m for m in sys.modules if 'helm' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['platform_cli.tools.helm']"

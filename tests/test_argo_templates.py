"""What a submission does to the templates on a cluster, through the cluster's API and through Argo's server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from argo_fixtures import Bench, open_bench, open_server_bench

from platform_cli.errors import StateError
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, Kind
from platform_cli.workflow.interface import Submission

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
OPENERS = {"cluster": open_bench, "server": open_server_bench}
TEMPLATE = Kind("argoproj.io/v1alpha1", "WorkflowTemplate", "workflowtemplates", namespaced=True)
FILE = """\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: asks}
spec:
  entrypoint: main
  arguments: {parameters: [{name: image, value: "tool:1"}, {name: word, value: hello}]}
  templates:
  - name: main
    suspend: {}
  - name: never
    container: {image: "{{workflow.parameters.image}}", command: [echo], volumeMounts: [{name: v, mountPath: /v}]}
  volumes: [{name: v, emptyDir: {}}]
"""


@pytest.fixture(params=sorted(OPENERS), scope="module")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with OPENERS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


def submit(bench: Bench, text: str = FILE, **options: Any) -> str:
    path = bench.folder / "asks.yaml"
    path.write_text(text)
    return bench.engine.submit(Submission(**{"manifest": path, "parameters": {}} | options))


def find_template(bench: Bench) -> dict[str, Any]:
    found = bench.kubernetes.get(TEMPLATE, "asks", bench.namespace)
    assert found is not None
    return found


def image_of(spec: dict[str, Any]) -> str:
    return next(item["value"] for item in spec["arguments"]["parameters"] if item["name"] == "image")


@pytest.fixture
def deployed(bench: Bench) -> Iterator[dict[str, Any]]:
    """The template as a deploy makes it, which knows the registry."""
    parameters = [{"name": "image", "value": "eu.example.org/team/tool:1"}, {"name": "word", "value": "hello"}]
    spec = {"entrypoint": "main", "arguments": {"parameters": parameters}}
    rest = {key: value for key, value in yaml.safe_load(FILE)["spec"].items() if key not in spec}
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    metadata = {"name": "asks", "namespace": bench.namespace, "labels": labels}
    head = {"apiVersion": TEMPLATE.api_version, "kind": TEMPLATE.kind, "metadata": metadata}
    bench.kubernetes.create({**head, "spec": {**spec, **rest}})
    yield find_template(bench)
    bench.kubernetes.delete(TEMPLATE, "asks", bench.namespace)


def test_a_deployed_template_keeps_its_registry_and_lends_it_to_the_run(bench: Bench, deployed: dict[str, Any]) -> None:
    name = submit(bench)
    assert find_template(bench)["spec"] == deployed["spec"]
    assert image_of(bench.engine.get(name)["spec"]) == "eu.example.org/team/tool:1"
    own = submit(bench, parameters={"image": "other.example.org/mine:2"})
    assert image_of(bench.engine.get(own)["spec"]) == "other.example.org/mine:2"
    assert find_template(bench)["spec"] == deployed["spec"]


@pytest.mark.usefixtures("deployed")
def test_a_change_of_the_file_arrives_and_the_template_stays_the_deploy_s(bench: Bench) -> None:
    submit(bench, FILE.replace("tool:1", "tool:2").replace("hello", "good day"))
    template = find_template(bench)
    assert image_of(template["spec"]) == "tool:2"
    assert template["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_a_submission_that_is_refused_changes_no_template(bench: Bench) -> None:
    assert submit(bench, name="taken") == submit(bench, name="taken") == "taken"
    before = find_template(bench)
    with pytest.raises(StateError, match="another run named taken exists"):
        submit(bench, FILE.replace("hello", "good day"), name="taken")
    assert find_template(bench) == before


def test_what_lies_beside_the_file_stays_there(bench: Bench) -> None:
    (bench.folder / "other.yaml").write_text(FILE.replace("name: asks", "name: other"))
    caller = FILE.replace("name: asks", "name: calls").replace(
        "    suspend: {}", "    dag: {tasks: [{name: a, templateRef: {name: asks, template: main}}]}"
    )
    path = bench.folder / "calls.yaml"
    path.write_text(caller)
    (bench.folder / "asks.yaml").write_text(FILE)
    bench.engine.submit(Submission(manifest=path, parameters={}))
    names = {item["metadata"]["name"] for item in bench.kubernetes.list(TEMPLATE, bench.namespace)}
    assert names == {"asks", "calls"}


def test_step_code_is_fixed_and_what_a_deploy_made_of_it_is_left_alone(bench: Bench) -> None:
    if bench.server[0]:
        pytest.skip("Argo's server stores no ConfigMaps")

    def find(name: str) -> dict[str, Any]:
        return bench.kubernetes.get(CONFIG_MAP, name, bench.namespace) or {}

    bench.engine.apply_config_map("training-steps-0123456789", {"a.py": b"1"})
    made = find("training-steps-0123456789")
    assert (made["immutable"], made["data"]) == (True, {"a.py": "1"})
    assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "mlops"}
    bench.engine.apply_config_map("training-steps-0123456789", {"a.py": b"1"})
    assert find("training-steps-0123456789") == made
    metadata = {"name": "training-steps-abcdef0123", "namespace": bench.namespace}
    deployed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "labels": {"by": "deploy"}}}
    bench.kubernetes.create({**deployed, "data": {"a.py": "2"}})
    before = find("training-steps-abcdef0123")
    bench.engine.apply_config_map("training-steps-abcdef0123", {"a.py": b"2"})
    assert find("training-steps-abcdef0123") == before

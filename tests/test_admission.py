"""What the cluster refuses to those who may submit runs and models, held against a real API server.

A run and a model are programs of whoever submits them, and they run beside the controllers: whoever chooses a run's
account, or writes the controllers' settings, has what the controllers have.
"""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from own_chart import CHART, of_kind
from target_samples import make_config, make_outputs, select

from platform_cli.cluster.access import Access
from platform_cli.cluster.adopted import Adopted
from platform_cli.cluster.value import build_values
from platform_cli.errors import MlopsError
from platform_cli.serving.kserve_manifest import Sizing, Wish, build_service
from platform_cli.tools.helm import open_renderer
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import NAMESPACE, Kind
from platform_cli.workflow.step_code import PREFIX

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
CLUSTER_SCOPED = {
    POLICY: Kind("admissionregistration.k8s.io/v1", POLICY, "validatingadmissionpolicies", namespaced=False),
    BINDING: Kind("admissionregistration.k8s.io/v1", BINDING, "validatingadmissionpolicybindings", namespaced=False),
    "ClusterRole": Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
}
RUN = Kind("argoproj.io/v1alpha1", "Workflow", "workflows", namespaced=True)
REFUSAL = "ValidatingAdmissionPolicy"


def test_every_policy_is_in_force_in_the_namespace_it_is_for() -> None:
    bindings = of_kind("existing", BINDING).values()
    spaces = {item["spec"]["policyName"]: space_of(item) for item in bindings}
    assert spaces == {
        "mlops-runs": "argo",
        "mlops-run-accounts": "argo",
        "mlops-step-code": "argo",
        "mlops-models": "mlops",
        "mlops-model-accounts": "mlops",
    }
    assert {item["metadata"]["name"] for item in of_kind("existing", POLICY).values()} == set(spaces)
    assert all(item["spec"]["validationActions"] == ["Deny"] for item in bindings)
    assert all(item["spec"]["failurePolicy"] == "Fail" for item in of_kind("existing", POLICY).values())


def space_of(binding: dict[str, Any]) -> str:
    return str(binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])


def test_the_step_code_that_may_be_written_is_what_the_command_line_writes() -> None:
    (rule,) = of_kind("existing", POLICY)["/mlops-step-code"]["spec"]["validations"]
    assert rule["expression"] == f"request.name.startsWith('{PREFIX}')"


def test_the_accounts_are_those_that_the_platform_makes() -> None:
    text = (CHART.parents[1] / "common" / "argo-workflows.yaml").read_text()
    assert "serviceAccount: {create: true, name: argo-workflow}" in text
    assert "'argo-workflow'" in of_kind("existing", POLICY)["/mlops-runs"]["spec"]["validations"][0]["expression"]
    assert "mlops/model-server" in of_kind("existing", "ServiceAccount")
    assert "'model-server'" in of_kind("existing", POLICY)["/mlops-models"]["spec"]["validations"][0]["expression"]


def in_force(adopted: tuple[str, ...] = (), *, without: str = "") -> dict[str, dict[str, Any]]:
    """The policies by name, where somebody else runs controllers, or where the platform has no such namespace."""
    item = next(item for item in select("existing") if item.name == "platform")
    values = build_values(
        item, make_config("existing"), make_outputs("existing"), adopted=Adopted(namespaces=frozenset(adopted))
    )
    values["namespaces"].pop(without, None)
    made = open_renderer().render(CHART, name="platform", namespace="mlops-system", values=values, kube_version="1.35")
    bound = {entry["spec"]["policyName"] for entry in made if entry["kind"] == BINDING}
    found = {entry["metadata"]["name"]: entry for entry in made if entry["kind"] == POLICY}
    assert set(found) == bound
    return found


def test_where_somebody_else_runs_controllers_only_our_roles_are_held() -> None:
    found = in_force(("argo", "mlops"))
    assert set(found) == {"mlops-runs", "mlops-step-code", "mlops-models"}
    for item in found.values():
        assert 'group in ["mlops:data-scientists"]' in item["spec"]["matchConditions"][-1]["expression"]
    assert not any("groups" in str(item) for item in in_force().values())


def test_a_namespace_that_is_not_the_platforms_is_left_alone() -> None:
    assert set(in_force(without="argo")) == {"mlops-models", "mlops-model-accounts"}
    assert set(in_force(without="mlops")) == {"mlops-runs", "mlops-run-accounts", "mlops-step-code"}


# --- on a real cluster ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """The chart's roles and policies under names of this test's own, and one login for each kind of person.

    Attributes:
        spaces: its own namespaces by the platform's.
        people: the API as each of them sees it.
    """

    spaces: Mapping[str, str]
    people: Mapping[str, Kubernetes]

    def ask(self, who: str, item: dict[str, Any]) -> None:
        """Apply an object of the platform's namespace as somebody, without keeping it.

        Raises:
            MlopsError: it is refused.
        """
        metadata = {**item["metadata"], "namespace": self.spaces[item["metadata"]["namespace"]]}
        self.people[who].apply({**item, "metadata": metadata}, dry_run=True)


GROUPS = {
    "mlops:data-scientists": "scientist",
    "mlops:operators": "operator",
}


@pytest.fixture(scope="module")
def site(kubernetes: Kubernetes, access: Access) -> Iterator[Site]:
    mark = f"admission-{uuid.uuid4().hex[:6]}"
    spaces = {name: f"{mark}-{name}" for name in ("argo", "mlops")}
    made: list[dict[str, Any]] = []
    try:
        for name in spaces.values():
            kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for item in (*accounts(spaces), *roles(mark, spaces), *policies(mark, spaces)):
            made.append(item)
            kubernetes.apply(item)
        people = {who: log_in(access, spaces["argo"], who) for who in (*GROUPS.values(), "publisher")}
        ready = Site(spaces, {**people, "admin": kubernetes})
        wait_until_in_force(ready)
        yield ready
    finally:
        for item in reversed(made):
            if item["kind"] in CLUSTER_SCOPED:
                kubernetes.delete(CLUSTER_SCOPED[item["kind"]], item["metadata"]["name"])
        for name in spaces.values():
            kubernetes.delete(NAMESPACE, name)


def accounts(spaces: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """People's, the runner's, the model server's, and one like the controllers'; all in namespaces of the test's."""
    argo, mlops = spaces["argo"], spaces["mlops"]
    for space, names in {
        argo: (*GROUPS.values(), "publisher", "argo-workflow", "controller"),
        mlops: ("model-server", "controller"),
    }.items():
        for name in names:
            yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": space}}
    exec_pods = [{"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["create"]}]
    read_secrets = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    # As Kubernetes' own controller that puts kube-root-ca.crt into every namespace.
    publish = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "update", "patch"]}]
    for space, name, rules in ((argo, "controller", exec_pods), (mlops, "controller", read_secrets)):
        yield from grant(space, name, rules)
    yield from grant(argo, "publisher", publish)


def grant(space: str, name: str, rules: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    metadata, group = {"name": name, "namespace": space}, "rbac.authorization.k8s.io"
    yield {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": space}]
    reference = {"apiGroup": group, "kind": "Role", "name": name}
    body = {"kind": "RoleBinding", "metadata": metadata, "roleRef": reference, "subjects": subjects}
    yield {"apiVersion": f"{group}/v1", **body}


def roles(mark: str, spaces: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The chart's roles, bound as the chart binds them, to accounts instead of groups."""
    for item in of_kind("existing", "ClusterRole").values():
        yield {**item, "metadata": {**item["metadata"], "name": f"{mark}-{item['metadata']['name']}"}}
    for item in of_kind("existing", "RoleBinding").values():
        people = [GROUPS[subject["name"]] for subject in item["subjects"] if subject["name"] in GROUPS]
        if item["metadata"]["namespace"] not in spaces or item["roleRef"]["kind"] != "ClusterRole" or not people:
            continue
        metadata = {**item["metadata"], "namespace": spaces[item["metadata"]["namespace"]]}
        reference = {**item["roleRef"], "name": f"{mark}-{item['roleRef']['name']}"}
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": spaces["argo"]} for name in people]
        yield {**item, "metadata": metadata, "roleRef": reference, "subjects": subjects}


def policies(mark: str, spaces: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for item in of_kind("existing", POLICY).values():
        yield {**item, "metadata": {**item["metadata"], "name": f"{mark}-{item['metadata']['name']}"}}
    for item in of_kind("existing", BINDING).values():
        name = f"{mark}-{item['spec']['policyName']}"
        selector = {"matchLabels": {"kubernetes.io/metadata.name": spaces[space_of(item)]}}
        spec = {**item["spec"], "policyName": name, "matchResources": {"namespaceSelector": selector}}
        yield {**item, "metadata": {**item["metadata"], "name": name}, "spec": spec}


def log_in(access: Access, space: str, name: str) -> Kubernetes:
    """The API as a service account sees it, with a token of its own."""
    from kubernetes import client, config

    api = client.CoreV1Api(config.new_client_from_config_dict(dict(access.kubeconfig)))
    wish = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = api.create_namespaced_service_account_token(name, space, wish).status.token
    users = [{**access.kubeconfig["users"][0], "user": {"token": token}}]
    return Kubernetes(Access({**access.kubeconfig, "users": users}, access.context))


def wait_until_in_force(site: Site) -> None:
    """Policies and roles reach the API server's own caches within a moment: until each refuses what it is for."""
    deadline = time.monotonic() + 60
    for who, item in PROBES:
        while not is_refused_by_policy(site, who, item):
            assert time.monotonic() < deadline, f"{item['kind']} is not refused after a minute"
            time.sleep(0.5)


def is_refused_by_policy(site: Site, who: str, item: dict[str, Any]) -> bool:
    try:
        site.ask(who, item)
    except MlopsError as error:
        return REFUSAL in str(error)
    return False


def of(kind: str, api_version: str, spec: dict[str, Any], name: str = "probe", space: str = "argo") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": space}, "spec": spec}


CONTAINER = {"name": "main", "container": {"image": "example.invalid/a:1", "command": ["true"]}}


def run(*, template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    templates = [{**CONTAINER, **(template or {})}]
    return of("Workflow", "argoproj.io/v1alpha1", {"entrypoint": "main", "templates": templates, **spec})


def workflow_template(**spec: Any) -> dict[str, Any]:
    return {**run(**spec), "kind": "WorkflowTemplate"}


def schedule(**spec: Any) -> dict[str, Any]:
    return of("CronWorkflow", "argoproj.io/v1alpha1", {"schedules": ["0 0 * * *"], "workflowSpec": run(**spec)["spec"]})


def task(**inline: Any) -> dict[str, Any]:
    """A run whose one template is a DAG with a template inside."""
    body = {"container": CONTAINER["container"], **inline}
    return run(templates=[{"name": "main", "dag": {"tasks": [{"name": "a", "inline": body}]}}])


def sequence(**inline: Any) -> dict[str, Any]:
    body = {"container": CONTAINER["container"], **inline}
    return run(templates=[{"name": "main", "steps": [[{"name": "a", "inline": body}]]}])


def with_status(**status: Any) -> dict[str, Any]:
    return {**run(), "status": status}


def config_map(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "argo"},
        "data": {"a": "b"},
    }


def model(**predictor: Any) -> dict[str, Any]:
    served = {"modelFormat": {"name": "mlflow"}, "storageUri": "mlflow://models/iris/1"}
    return of(
        "InferenceService", "serving.kserve.io/v1beta1", {"predictor": {"model": served, **predictor}}, "m", "mlops"
    )


def owned(item: dict[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    owner = {"apiVersion": api_version, "kind": kind, "name": "owner", "uid": "00000000-0000-0000-0000-000000000001"}
    return {**item, "metadata": {**item["metadata"], "ownerReferences": [owner]}}


def pod(account: str, *, owner: str = "Workflow") -> dict[str, Any]:
    spec = {"serviceAccountName": account, "containers": [{"name": "main", "image": "example.invalid/a:1"}]}
    plain = of("Pod", "v1", spec)
    return owned(plain, "argoproj.io/v1alpha1", owner) if owner == "Workflow" else owned(plain, "apps/v1", owner)


def deployment(account: str, *, owner: str = "InferenceService") -> dict[str, Any]:
    labels = {"app": "probe"}
    inner = {"serviceAccountName": account, "containers": [{"name": "main", "image": "example.invalid/a:1"}]}
    template = {"metadata": {"labels": labels}, "spec": inner}
    item = of("Deployment", "apps/v1", {"selector": {"matchLabels": labels}, "template": template}, space="mlops")
    return owned(item, "serving.kserve.io/v1beta1", owner) if owner else item


PROBES = [
    ("scientist", run(serviceAccountName="controller")),
    ("scientist", config_map("probe")),
    ("scientist", model(serviceAccountName="controller")),
    ("admin", pod("controller")),
    ("admin", deployment("controller")),
]

ARTIFACT = {"name": "a", "path": "/tmp/a", "artifactGC": {"strategy": "OnWorkflowDeletion"}}
SCIENTIST_MAY = {
    "run": run(),
    "run-as-the-runner": run(serviceAccountName="argo-workflow", executor={"serviceAccountName": "argo-workflow"}),
    "run-of-a-template": of("Workflow", "argoproj.io/v1alpha1", {"workflowTemplateRef": {"name": "t"}}),
    "template": workflow_template(),
    "schedule": schedule(serviceAccountName="argo-workflow"),
    "inline-task": task(),
    "inline-step": sequence(),
    "artifacts": run(artifactGC={"strategy": "OnWorkflowDeletion"}, template={"outputs": {"artifacts": [ARTIFACT]}}),
    "retried": with_status(phase="Running", storedTemplates={"main": CONTAINER}),
    "step-code": config_map(f"{PREFIX}0123456789"),
    "model": model(serviceAccountName="model-server"),
}
OTHER: dict[str, Any] = {"serviceAccountName": "controller"}
PATCH = '{"serviceAccountName": "controller"}'
SCIENTIST_MAY_NOT = {
    "run": run(**OTHER),
    "run-by-parameter": run(serviceAccountName="{{workflow.parameters.account}}"),
    "run-executor": run(executor=OTHER),
    "run-patch": run(podSpecPatch=PATCH),
    "run-collection": run(artifactGC=OTHER),
    "run-collection-patch": run(artifactGC={"podSpecPatch": PATCH}),
    "run-defaults": run(templateDefaults=OTHER),
    "step": run(template=OTHER),
    "step-executor": run(template={"executor": OTHER}),
    "step-patch": run(template={"podSpecPatch": PATCH}),
    "step-collection": run(template={"outputs": {"artifacts": [{**ARTIFACT, "artifactGC": OTHER}]}}),
    "inline-task": task(**OTHER),
    "inline-task-patch": task(podSpecPatch=PATCH),
    "inline-step": sequence(executor=OTHER),
    "stored-spec": with_status(storedWorkflowTemplateSpec={"entrypoint": "main", "templates": [CONTAINER], **OTHER}),
    "stored-template": with_status(storedTemplates={"main": {**CONTAINER, **OTHER}}),
    "template": workflow_template(**OTHER),
    "template-step": workflow_template(template=OTHER),
    "schedule": schedule(**OTHER),
    "schedule-step-patch": schedule(template={"podSpecPatch": PATCH}),
    "controller-settings": config_map("workflow-controller-configmap"),
    "platform-settings": config_map("mlops-platform"),
    "cluster-certificate": config_map("kube-root-ca.crt"),
    "model": model(**OTHER),
    "model-transformer": of(
        "InferenceService",
        "serving.kserve.io/v1beta1",
        {**model()["spec"], "transformer": {**OTHER, "containers": [{"name": "t", "image": "example.invalid/a:1"}]}},
        "m",
        "mlops",
    ),
}
OTHERS_MAY = {
    "operator-run": ("operator", run(**OTHER)),
    "operator-patch": ("operator", run(podSpecPatch=PATCH)),
    "operator-template": ("operator", workflow_template(**OTHER)),
    "operator-settings": ("operator", config_map("workflow-controller-configmap")),
    "operator-model": ("operator", model(**OTHER)),
    "admin-run": ("admin", run(**OTHER)),
    "kubernetes-own-controller": ("publisher", config_map("kube-root-ca.crt")),
    "pod-of-a-run": ("admin", pod("argo-workflow")),
    "pod-without-account": ("admin", pod("default")),
    "pod-of-the-controller": ("admin", pod("controller", owner="ReplicaSet")),
    "deployment-of-a-model": ("admin", deployment("model-server")),
    "deployment-of-the-controller": ("admin", deployment("controller", owner="")),
}


@pytest.mark.cluster
@pytest.mark.parametrize("item", SCIENTIST_MAY.values(), ids=SCIENTIST_MAY)
def test_a_data_scientist_may(site: Site, item: dict[str, Any]) -> None:
    require(site, item)
    site.ask("scientist", item)


@pytest.mark.cluster
@pytest.mark.parametrize("item", SCIENTIST_MAY_NOT.values(), ids=SCIENTIST_MAY_NOT)
def test_a_data_scientist_may_not(site: Site, item: dict[str, Any]) -> None:
    require(site, item)
    with pytest.raises(MlopsError, match=REFUSAL):
        site.ask("scientist", item)


@pytest.mark.cluster
@pytest.mark.parametrize(("who", "item"), OTHERS_MAY.values(), ids=OTHERS_MAY)
def test_nobody_else_is_hindered(site: Site, who: str, item: dict[str, Any]) -> None:
    require(site, item)
    site.ask(who, item)


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("item", "right"),
    [(pod("controller"), "create pods"), (deployment("controller"), "get secrets")],
    ids=["run", "model"],
)
def test_whatever_was_submitted_pods_never_get_a_powerful_account(site: Site, item: dict[str, Any], right: str) -> None:
    with pytest.raises(MlopsError, match=f"the service account controller may {right}"):
        site.ask("admin", item)


@pytest.mark.cluster
@pytest.mark.parametrize("item", [pod("argo-workflow"), deployment("model-server")], ids=["run", "model"])
def test_the_platform_never_makes_room_for_a_run_or_a_model(site: Site, item: dict[str, Any]) -> None:
    urgent = copy.deepcopy(item)
    inner = urgent["spec"].get("template", urgent)["spec"]
    inner["priorityClassName"] = "system-cluster-critical"
    with pytest.raises(MlopsError, match="make room for the platform"):
        site.ask("admin", urgent)


SECRET_WAYS: dict[str, dict[str, Any]] = {
    "volume": {"volumes": [{"name": "v", "secret": {"secretName": "NAME"}}]},
    "projection": {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "NAME"}}]}}]},
    "variable": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "NAME", "key": "a"}}}]},
    "variables": {"envFrom": [{"secretRef": {"name": "NAME"}}]},
}


def reading(item: dict[str, Any], way: dict[str, Any], secret: str) -> dict[str, Any]:
    """The object with a pod that reads a Secret in one of the ways there are."""
    filled = json.loads(json.dumps(way).replace("NAME", secret))
    changed = copy.deepcopy(item)
    inner = changed["spec"].get("template", changed)["spec"]
    container = {**inner["containers"][0], **{key: filled[key] for key in filled if key != "volumes"}}
    inner["initContainers"] = [{**container, "name": "first"}]
    inner |= {key: filled[key] for key in filled if key == "volumes"}
    return changed


@pytest.mark.cluster
@pytest.mark.parametrize("way", SECRET_WAYS.values(), ids=SECRET_WAYS)
@pytest.mark.parametrize(
    ("item", "secret"),
    [
        (pod("argo-workflow"), "mlflow-database"),
        (pod("argo-workflow"), "sh.helm.release.v1.argo-workflows.v1"),
        (deployment("model-server"), "kserve-webhook-server-cert"),
    ],
    ids=["database", "release", "webhook"],
)
def test_secrets_of_the_platform_are_not_for_runs_and_models(
    site: Site, item: dict[str, Any], secret: str, way: dict[str, Any]
) -> None:
    with pytest.raises(MlopsError, match="no Secret of the platform's own"):
        site.ask("admin", reading(item, way, secret))
    site.ask("admin", reading(item, way, "object-store"))


@pytest.mark.cluster
def test_what_the_command_line_submits_is_taken(site: Site) -> None:
    template = of_kind("existing", "WorkflowTemplate")["argo/ml-training-pipeline"]
    run_of_it = of("Workflow", template["apiVersion"], template["spec"], "ml-training-pipeline-1")
    require(site, run_of_it)
    site.ask("scientist", template)
    site.ask("scientist", run_of_it)


@pytest.mark.cluster
def test_what_the_command_line_deploys_is_taken(site: Site) -> None:
    size = Sizing(autoscaler="none")
    wish = Wish(model="iris", version="1", namespace="mlops", runtime="r", service_account="model-server", sizing=size)
    require(site, build_service(wish))
    site.ask("scientist", build_service(wish))


@pytest.mark.cluster
def test_a_run_of_an_operators_template_can_be_stopped_and_changed_no_further(site: Site) -> None:
    """What the controller stored of a template with another account stays; other accounts come in by no change."""
    stored = {"entrypoint": "main", "templates": [CONTAINER], **OTHER}
    metadata = {"name": "stored", "namespace": site.spaces["argo"]}
    spec = {"workflowTemplateRef": {"name": "t"}, "suspend": True}
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec}
    require(site, body)
    # Done already, for the controller: it leaves it alone.
    done = {"labels": {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"}}
    status = {"phase": "Succeeded", "storedWorkflowTemplateSpec": stored}
    site.people["admin"].apply({**body, "metadata": {**metadata, **done}, "status": status})
    site.people["scientist"].patch(RUN, "stored", metadata["namespace"], {"spec": {"shutdown": "Stop"}})
    worse = {"status": {"storedWorkflowTemplateSpec": {"serviceAccountName": "default"}}}
    with pytest.raises(MlopsError, match=REFUSAL):
        site.people["scientist"].patch(RUN, "stored", metadata["namespace"], worse)


@pytest.mark.cluster
def test_rules_for_adopted_namespaces_are_rules(kubernetes: Kubernetes) -> None:
    for item in in_force(("argo", "mlops")).values():
        kubernetes.apply({**item, "metadata": {"name": f"admission-probe-{item['metadata']['name']}"}}, dry_run=True)


@pytest.mark.cluster
def test_a_data_scientist_removes_no_settings(site: Site, kubernetes: Kubernetes) -> None:
    from platform_cli.tools.kubernetes_kind import CONFIG_MAP

    with pytest.raises(MlopsError):
        site.people["scientist"].delete(CONFIG_MAP, "kube-root-ca.crt", site.spaces["argo"])
    assert kubernetes.get(CONFIG_MAP, "kube-root-ca.crt", site.spaces["argo"]) is not None


def require(site: Site, item: dict[str, Any]) -> None:
    if site.people["admin"].find_kind(item["apiVersion"], item["kind"]) is None:
        pytest.skip(f"the cluster has no {item['kind']}")

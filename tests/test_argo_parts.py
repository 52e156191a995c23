"""The pure parts of Argo's engine: what is submitted, what nodes tell, why pods failed, what a retry changes."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from platform_cli.errors import (
    LintError,
    NotFoundError,
    PreflightError,
    RefusedError,
    StateError,
    ToolError,
    UsageError,
)
from platform_cli.events import NodeFinished, NodeStarted, Notice, RunFinished, RunStarted
from platform_cli.layout import Layout, find_assets
from platform_cli.render.cause import find_cause, name_step
from platform_cli.render.run import tree_lines
from platform_cli.workflow import argo_retry
from platform_cli.workflow.argo_artifact import bring_near, fetch, locate, save
from platform_cli.workflow.argo_engine import ArgoServerEngine, open_server_engine
from platform_cli.workflow.argo_failure import Evidence, explain_failure, explain_pending
from platform_cli.workflow.argo_manifest import Prepared, Wish, prepare_workflow
from platform_cli.workflow.argo_server_call import Server
from platform_cli.workflow.argo_status import Teller, present, unpack
from platform_cli.workflow.export import list_exports
from platform_cli.workflow.interface import Submission
from platform_cli.workflow.preparation import prepare_parameters
from platform_cli.workflow.step_code import step_code_name

TRAINING = Layout(assets=find_assets(), project=Path("/nowhere")).training_workflow
WISH = Wish(namespace="argo", annotations={"mlops.dev/submitted-by": "ada@home"})


def prepare(manifest: Path = TRAINING, wish: Wish = WISH, **options: Any) -> Prepared:
    options = {"parameters": {}} | options
    return prepare_workflow(Submission(manifest=manifest, **options), wish)


def write(folder: Path, text: str, name: str = "workflow.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def parameters_of(workflow: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value") for item in workflow["spec"]["arguments"]["parameters"]}


# what is submitted


def test_a_template_is_applied_and_referred_to() -> None:
    prepared = prepare(parameters={"seed": "7"}, name="monday", labels={"team": "blue"})
    (template,) = prepared.templates
    assert (template["kind"], template["metadata"]["name"]) == ("WorkflowTemplate", "ml-training-pipeline")
    assert template["metadata"]["namespace"] == "argo"
    workflow = prepared.workflow
    assert prepared.name == "monday"
    assert workflow["spec"]["workflowTemplateRef"] == {"name": "ml-training-pipeline"}
    assert workflow["spec"]["serviceAccountName"] == "argo-workflow"
    assert "templates" not in workflow["spec"]
    assert parameters_of(workflow)["seed"] == "7"
    assert parameters_of(workflow)["cv-folds"] == "5"
    assert workflow["metadata"]["labels"]["team"] == "blue"
    assert workflow["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] == "ml-training-pipeline"
    assert workflow["metadata"]["annotations"]["mlops.dev/submitted-by"] == "ada@home"


def test_a_template_that_a_deploy_made_stays_the_deploy_s() -> None:
    """Helm and `mlops deploy` find what they made by this label: what a submit applies must not take it over."""
    (template,) = prepare(TRAINING).templates
    assert "app.kubernetes.io/managed-by" not in template["metadata"]["labels"]


def test_the_defaults_of_an_applied_template_are_true_on_the_cluster() -> None:
    wish = Wish(namespace="argo", registry="eu.example.org/team/", annotations={})
    prepared = prepare(wish=wish)
    (template,) = prepared.templates
    defaults = {item["name"]: item.get("value") for item in template["spec"]["arguments"]["parameters"]}
    assert defaults["step-code"] == step_code_name(TRAINING.parent / "src")
    assert defaults["image"] == "eu.example.org/team/mlops-training:0.1.0"
    assert parameters_of(prepared.workflow)["image"] == defaults["image"]
    own = prepare(wish=wish, parameters={"image": "other.example.org/mine:1"})
    assert parameters_of(own.workflow)["image"] == "other.example.org/mine:1"


def test_the_hash_follows_what_runs_and_nothing_else() -> None:
    def hash_of(**options: Any) -> str:
        return str(prepare(**options).workflow["metadata"]["annotations"]["mlops.dev/spec-hash"])

    assert hash_of(name="a") == hash_of(name="b", parameters={"git-commit": "abc+def"}, labels={"x": "y"})
    assert hash_of() != hash_of(parameters={"seed": "2"})
    assert hash_of() != hash_of(entrypoint="load-data")


def test_a_file_s_own_workflow_brings_the_templates_it_refers_to(tmp_path: Path) -> None:
    write(
        tmp_path,
        "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: shared}\nspec:\n"
        "  templates:\n  - {name: say, container: {image: busybox, command: [echo]}}\n",
        "shared.yaml",
    )
    main = write(
        tmp_path,
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: own-}\nspec:\n  entrypoint: main\n"
        "  templates:\n  - name: main\n    dag: {tasks: [{name: a, templateRef: {name: shared, template: say}}]}\n",
    )
    prepared = prepare(main)
    assert [template["metadata"]["name"] for template in prepared.templates] == ["shared"]
    assert prepared.workflow["spec"]["templates"][0]["name"] == "main"
    assert prepared.name.startswith("own-")


LIBRARY = (
    "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: NAME}\nspec:\n"
    "  templates:\n  - {name: say, container: {image: busybox, command: [echo]}}\n"
)
CALLER = "  - name: call\n    dag: {tasks: [{name: a, templateRef: {name: NAME, template: say}}]}\n"
REFERS = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: own-}\nspec:\n  entrypoint: call\n"
    "  templates:\n" + CALLER
)


def test_only_templates_that_are_referred_to_come_along(tmp_path: Path) -> None:
    write(tmp_path, LIBRARY.replace("NAME", "near") + CALLER.replace("NAME", "far"), "a.yaml")
    write(tmp_path, LIBRARY.replace("NAME", "far"), "b.yaml")
    write(tmp_path, LIBRARY.replace("NAME", "other"), "c.yaml")
    write(tmp_path, "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: half", "d.yaml")

    def names_of(name: str) -> list[str]:
        main = write(tmp_path, REFERS.replace("NAME", name))
        return [template["metadata"]["name"] for template in prepare(main).templates]

    assert names_of("near") == ["near", "far"]
    assert names_of("far") == ["far"]
    assert names_of("on-the-cluster") == []
    with pytest.raises(LintError, match=r"d\.yaml"):
        names_of("half")


def test_what_only_a_cluster_can_run_is_fine_there(tmp_path: Path) -> None:
    header = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: own-}\nspec:\n  entrypoint: main\n"
    )
    resource = header + "  templates:\n  - name: main\n    resource: {action: get, manifest: 'kind: Pod'}\n"
    assert prepare(write(tmp_path, resource)).workflow["spec"]["templates"][0]["resource"]["action"] == "get"
    with pytest.raises(LintError):
        prepare(
            write(tmp_path, header + "  templates:\n  - name: main\n    dag: {tasks: [{name: a, template: gone}]}\n")
        )


def test_what_cannot_be_had_is_refused(tmp_path: Path) -> None:
    header = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: own-, namespace: theirs}\n"
    body = "spec:\n  entrypoint: main\n  templates:\n  - {name: main, container: {image: busybox, command: [echo]}}\n"
    with pytest.raises(UsageError, match="names namespace theirs"):
        prepare(write(tmp_path, header + body))
    header = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: own-}\nspec:\n  entrypoint: main\n"
    )
    text = header + (
        "  templates:\n  - name: main\n    inputs: {parameters: [{name: k, value: v}]}\n"
        "    memoize: {key: '{{inputs.parameters.k}}', maxAge: 24h, cache: {configMap: {name: c}}}\n"
        "    container: {image: busybox, command: [echo, '{{inputs.parameters.k}}']}\n"
        "    outputs: {parameters: [{name: o, valueFrom: {path: /tmp/o}}]}\n"
    )
    assert prepare(write(tmp_path, text))
    with pytest.raises(UsageError, match="--no-cache: main would be reused"):
        prepare(write(tmp_path, text), reuse=False)


def test_a_path_of_this_machine_is_no_parameter_for_a_cluster() -> None:
    engine = ArgoServerEngine("http://127.0.0.1:9", "", "argo")
    for path in ("data/rows.csv", "./rows.csv", "*.parquet"):
        with pytest.raises(UsageError, match="the cluster cannot see"):
            prepare_parameters(TRAINING, {"data-source": path, "step-code": "x"}, engine)
    for fine in ("iris", "s3://bucket/rows.csv", "https://example.org/rows.csv", "/opt/data/rows.csv"):
        assert prepare_parameters(TRAINING, {"data-source": fine, "step-code": "x"}, engine)["data-source"] == fine


# what nodes tell


def node(name: str, phase: str, **more: Any) -> dict[str, Any]:
    times = {"startedAt": "2026-11-21T10:00:00Z", "finishedAt": None if phase == "Running" else "2026-11-21T10:00:04Z"}
    return {"id": f"r-{name}", "name": f"r.{name}", "displayName": name, "type": "Pod", "phase": phase, **times, **more}


def run_of(phase: str, *nodes: dict[str, Any], **status: Any) -> dict[str, Any]:
    metadata = {"name": "r", "resourceVersion": "5", "labels": {}, "annotations": {}}
    whole = {"phase": phase, "startedAt": "2026-11-21T10:00:00Z", "nodes": {item["id"]: item for item in nodes}}
    return {"metadata": metadata, "spec": {}, "status": {**whole, **status}}


def test_every_change_is_told_once() -> None:
    teller = Teller(lambda _run, node: f"because {node['message']}")
    root = {"id": "r", "name": "r", "displayName": "r", "type": "DAG"}
    outputs = {"parameters": [{"name": "summary", "value": "150 rows"}]}
    looks = [
        run_of("Running", {**node("r", "Running"), **root}, node("a", "Pending", message="PodInitializing")),
        run_of("Running", {**node("r", "Running"), **root}, node("a", "Running")),
        run_of("Running", {**node("r", "Running"), **root}, node("a", "Running")),
        run_of(
            "Failed",
            {**node("r", "Failed", message=""), **root},
            node("a", "Succeeded", outputs=outputs),
            node("b", "Failed", message="x"),
            node("c", "Omitted", message="omitted"),
            finishedAt="2026-11-21T10:00:09Z",
        ),
    ]
    told = [event for look in looks for event in teller.tell(look)]
    assert [type(event) for event in told if not isinstance(event, Notice)] == [
        RunStarted,
        NodeStarted,
        NodeStarted,
        NodeStarted,
        NodeFinished,
        NodeFinished,
        NodeFinished,
        NodeFinished,
        RunFinished,
    ]
    finished = {event.name: event for event in told if isinstance(event, NodeFinished)}
    assert finished["a"].summary == "150 rows"
    assert finished["a"].seconds == 4
    assert finished["b"].message == "because x"
    assert [*finished][-1] == "r"
    assert isinstance(told[-1], RunFinished)
    assert told[-1].seconds == 9


def test_attempts_memos_and_what_succeeded_before_are_told_apart() -> None:
    teller = Teller(lambda _run, _node: "")
    memo = {"hit": True, "key": "k1", "cacheName": "cache"}
    look = run_of(
        "Succeeded",
        node("a(0)", "Succeeded", nodeFlag={"retried": True}),
        node("m", "Succeeded", memoizationStatus=memo, finishedAt="2026-11-21T12:00:00Z"),
    )
    look["metadata"]["annotations"]["mlops.dev/resumed-at"] = "2026-11-21T11:00:00Z"
    told = {event.name: event for event in teller.tell(look) if isinstance(event, NodeFinished)}
    assert told["a(0)"].kind == "Attempt"
    assert told["a(0)"].reused == "succeeded before the run was resumed"
    assert told["m"].reused == "memoized in cache as k1"


def test_what_was_reused_is_shown_alike_on_every_engine() -> None:
    hit, miss = ({"hit": is_hit, "key": "k1", "cacheName": "cache"} for is_hit in (True, False))
    run = run_of(
        "Succeeded",
        node("a", "Succeeded", memoizationStatus=hit),
        node("b", "Succeeded", type="Retry", children=["r-b(0)"], memoizationStatus=miss),
        node("b(0)", "Succeeded"),
        node("c", "Succeeded"),
    )
    shown = present(run)
    nodes = shown["status"]["nodes"]
    assert not [id_ for id_ in nodes if "memoizationStatus" in nodes[id_]]
    assert nodes["r-a"]["reuse"] == {"hit": True, "reason": "memoized in cache as k1", "key": "k1"}
    assert "reuse" not in nodes["r-c"]
    assert "a (reused: memoized in cache as k1)" in [" ".join(line.split()[1:-2]) for line in tree_lines(shown)]
    wordy = "\n".join(tree_lines(shown, verbose=True))
    assert "(ran: nothing memoized in cache as k1)" in wordy


def test_packed_nodes_are_read_and_offloaded_ones_refused() -> None:
    whole = run_of("Succeeded", node("a", "Succeeded"))
    packed = base64.b64encode(gzip.compress(json.dumps(whole["status"]["nodes"]).encode())).decode()
    status = {"phase": "Succeeded", "compressedNodes": packed}
    assert unpack({**whole, "status": status})["status"]["nodes"] == whole["status"]["nodes"]
    with pytest.raises(StateError, match="controller's database"):
        unpack({**whole, "status": {"offloadNodeStatusVersion": "1"}})


def test_a_run_that_nobody_has_looked_at_yet_is_pending() -> None:
    assert present({"metadata": {"name": "r", "managedFields": []}, "spec": {}}) == {
        "metadata": {"name": "r"},
        "spec": {},
        "status": {"phase": "Pending"},
    }


# why pods failed

WAITING = {"status": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": ""}}}]}}


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ({"message": "main: Error (exit code 3)", "last_line": "no such column"}, "exit code 3: no such column"),
        ({"message": "main: Error (exit code 3)"}, "exit code 3"),
        ({"message": "main: Error (exit code 137)"}, "killed, exit code 137"),
        (
            {"message": "main: OOMKilled (exit code 137)", "memory": "1Gi"},
            "out of memory (OOMKilled, its limit is 1Gi)",
        ),
        ({"message": "OOMKilled (exit code 137)"}, "out of memory (OOMKilled)"),
        (
            {"message": "wait: Error (exit code 64): no bucket"},
            "Argo's wait container failed (exit code 64): no bucket",
        ),
        (
            {"message": "The node was low on resource: memory. Threshold …"},
            "evicted: The node was low on resource: memory. Threshold …",
        ),
        ({"message": "gone", "pod": {"status": {"reason": "Evicted"}}}, "evicted: gone"),
        (
            {"message": "Pod was active on the node longer than the specified deadline", "deadline_s": "30"},
            "deadline of 30s exceeded",
        ),
        (
            {"message": "Pod was active on the node longer than the specified deadline", "pod": WAITING},
            "its image cannot be pulled: ImagePullBackOff; its deadline exceeded",
        ),
        (
            {
                "message": "workflow shutdown with strategy:  Stop",
                "warnings": ("FailedScheduling: 0/3 nodes are available.",),
            },
            "no node has room for it: 0/3 nodes are available.; then stopped",
        ),
        ({"message": "workflow shutdown with strategy:  Stop"}, "stopped before it was over"),
        ({"message": "pod deleted"}, "pod deleted"),
    ],
)
def test_the_reason_comes_first(evidence: dict[str, Any], reason: str) -> None:
    assert explain_failure(Evidence(**evidence)) == reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("PodInitializing", ""),
        ("ContainerCreating", ""),
        ('ErrImagePull: failed to pull image "a/b:1": not found', "its image cannot be pulled: a/b:1 (not found)"),
        ('ImagePullBackOff: Back-off pulling image "a/b:1"', "its image cannot be pulled: a/b:1"),
        ("Unschedulable: 0/1 nodes are available", "no node has room for it: 0/1 nodes are available"),
        (
            'pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0',
            "quota small is used up: requested: pods=1, used: pods=0, limited: pods=0",
        ),
        ('CreateContainerConfigError: secret "s" not found', 'its container cannot be made: secret "s" not found'),
    ],
)
def test_what_a_pod_waits_for_is_told_only_when_it_matters(message: str, reason: str) -> None:
    assert explain_pending(message) == reason


# what a retry changes


def apply_patch(value: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            merged.pop(key, None)
        else:
            merged[key] = apply_patch(merged.get(key), item)
    return merged


def failed_run() -> dict[str, Any]:
    """a succeeded, b failed twice, c never ran, the handler ran."""
    root = {"id": "r", "name": "r", "displayName": "r", "type": "DAG", "children": ["r-a"], "outboundNodes": ["r-c"]}
    nodes = (
        {**node("r", "Failed"), **root},
        node("a", "Succeeded", boundaryID="r", children=["r-b"], templateName="t"),
        node("b", "Failed", boundaryID="r", type="Retry", children=["r-b(0)", "r-b(1)", "r-c"]),
        node("b(0)", "Failed", boundaryID="r", templateName="t"),
        node("b(1)", "Failed", boundaryID="r", templateName="t"),
        node("c", "Omitted", boundaryID="r", type="Skipped"),
        node("onExit", "Succeeded", templateName="h"),
    )
    run = run_of("Failed", *nodes, message="child failed", finishedAt="2026-11-21T10:01:00Z")
    run["metadata"]["labels"] = {"workflows.argoproj.io/completed": "true", "team": "blue"}
    return {**run, "spec": {"shutdown": "Stop", "entrypoint": "r"}}


def test_the_last_attempt_is_to_blame_and_a_handler_only_when_no_step_is() -> None:
    run = failed_run()
    nodes = run["status"]["nodes"]
    nodes["r-onExit"] |= {"name": "r.onExit", "phase": "Failed", "finishedAt": "2026-11-21T10:00:01Z"}
    cause = find_cause(run)
    assert cause is not None
    assert (cause["displayName"], name_step(cause, nodes)) == ("b(1)", "b")
    nodes["r-b"]["phase"] = nodes["r-b(1)"]["phase"] = "Succeeded"
    assert find_cause(run) == nodes["r-onExit"]


def test_a_retry_makes_anew_what_failed_and_what_came_after() -> None:
    run = failed_run()
    reopening = argo_retry.reopen(run, "2026-11-21T11:00:00Z")
    after = apply_patch(run, reopening.patch)
    assert set(after["status"]["nodes"]) == {"r", "r-a", "r-b"}
    assert after["status"]["nodes"]["r"]["phase"] == after["status"]["nodes"]["r-b"]["phase"] == "Running"
    assert "finishedAt" not in after["status"]["nodes"]["r-b"]
    assert "children" not in after["status"]["nodes"]["r-b"]
    assert after["status"]["nodes"]["r-a"] == run["status"]["nodes"]["r-a"]
    assert "phase" not in after["status"]
    assert after["spec"] == {"entrypoint": "r"}
    assert after["metadata"]["labels"] == {"team": "blue", "workflows.argoproj.io/phase": "Running"}
    assert after["metadata"]["resourceVersion"] == "5"
    assert len(reopening.pods) == 3
    assert all(pod.startswith(("r-t-", "r-h-")) for pod in reopening.pods)


def test_what_a_run_went_on_after_is_not_made_anew() -> None:
    run = failed_run()
    run["status"]["nodes"]["r-c"]["phase"] = "Succeeded"
    after = apply_patch(run, argo_retry.reopen(run, "2026-11-21T11:00:00Z").patch)
    assert {"r-b(0)", "r-b(1)", "r-c"} <= set(after["status"]["nodes"])


def test_a_retry_of_packed_nodes_packs_them_again() -> None:
    run = failed_run()
    plain = run["status"].pop("nodes")
    run["status"]["compressedNodes"] = base64.b64encode(gzip.compress(json.dumps(plain).encode())).decode()
    after = apply_patch(run, argo_retry.reopen(run, "2026-11-21T11:00:00Z").patch)
    assert set(unpack(after)["status"]["nodes"]) == {"r", "r-a", "r-b"}


def test_a_question_without_an_answer_stays_open() -> None:
    supplied = {"parameters": [{"name": "go", "valueFrom": {"supplied": {}, "default": "yes"}}]}
    run = run_of("Running", node("ask", "Running", type="Suspend", outputs=supplied))
    after = apply_patch(run, argo_retry.wake(run, "2026-11-21T11:00:00Z"))
    assert after["status"]["nodes"]["r-ask"]["phase"] == "Succeeded"
    assert after["status"]["nodes"]["r-ask"]["outputs"]["parameters"] == [{"name": "go", "value": "yes"}]
    del supplied["parameters"][0]["valueFrom"]["default"]
    with pytest.raises(StateError, match="waits for a value of go"):
        argo_retry.wake(run, "2026-11-21T11:00:00Z")


def test_pod_names_are_the_controller_s() -> None:
    run = {"metadata": {"name": "t-idtk3"}}
    assert argo_retry.pod_name(run, {"id": "t-idtk3-3814558198", "name": "t-idtk3.a", "templateName": "say"}) == (
        "t-idtk3-say-3814558198"
    )
    assert argo_retry.pod_name(run, {"id": "t-idtk3", "name": "t-idtk3"}) == "t-idtk3"


# what steps gave


def test_the_last_attempt_s_artifacts_are_exported_by_step_and_file() -> None:
    dataset = {"name": "dataset", "path": "/mnt/out/rows.csv", "s3": {"key": "k"}}
    log = {"name": "main-logs", "s3": {"key": "l"}}
    run = run_of(
        "Succeeded",
        node("a", "Succeeded", type="Retry", children=["r-a(0)", "r-a(1)"], outputs={"artifacts": [dataset]}),
        node("a(0)", "Failed", outputs={"artifacts": [dataset]}),
        node("a(1)", "Succeeded", outputs={"artifacts": [dataset, log, {**dataset, "name": "copy"}]}),
    )
    exports = list_exports(run)
    assert [export.target for export in exports] == ["a/rows.csv", "a/main.log", "a/copy-rows.csv"]
    assert {export.node["id"] for export in exports} == {"r-a(1)"}


def place_of(repository: dict[str, Any], artifact: dict[str, Any], environ: dict[str, str] | None = None) -> Any:
    status = {"artifactRepositoryRef": {"artifactRepository": repository}}
    secrets = {"access": "key", "secret": "word"}
    return locate(
        {"metadata": {}, "status": status},
        {"name": "a", **artifact},
        read_secret=lambda reference: secrets.get(reference["key"], ""),
        environ=environ or {},
    )


def test_an_artifact_is_found_by_key_in_each_store() -> None:
    own = {
        "bucket": "b",
        "endpoint": "minio.argo:9000",
        "insecure": True,
        "accessKeySecret": {"name": "s", "key": "access"},
    }
    minio = place_of({"s3": own}, {"s3": {"key": "r/a.tgz"}})
    assert str(minio) == "s3://b/r/a.tgz"
    assert minio.options == {"client_kwargs": {"endpoint_url": "http://minio.argo:9000"}, "key": "key"}
    outside = place_of({"s3": own}, {"s3": {"key": "k"}}, {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"})
    assert outside.options["client_kwargs"]["endpoint_url"] == "http://127.0.0.1:9"
    aws = place_of({"s3": {"bucket": "b", "endpoint": "s3.amazonaws.com", "region": "eu-west-1"}}, {"s3": {"key": "k"}})
    assert aws.options == {"client_kwargs": {"region_name": "eu-west-1"}}
    assert str(place_of({"gcs": {"bucket": "b"}}, {"gcs": {"key": "k"}})) == "gs://b/k"
    azure = {"container": "c", "endpoint": "https://acct.blob.core.windows.net"}
    blob = place_of({"azure": azure}, {"azure": {"blob": "k"}})
    assert (str(blob), blob.options["account_name"]) == ("abfs://c/k", "acct")
    with pytest.raises(StateError, match="kept in hdfs"):
        place_of({}, {"hdfs": {"path": "/x"}})


@pytest.mark.parametrize(
    "endpoint",
    [
        "s3.corp.example:9000",
        "s3.eu-central-1.wasabisys.com",
        "s3.amazonaws.com.corp.example",
        "myamazonaws.com",
        "s3-amazonaws.com",
    ],
)
def test_keys_of_somebody_else_s_store_never_go_to_amazon(endpoint: str) -> None:
    store = {"bucket": "b", "endpoint": endpoint, "accessKeySecret": {"name": "s", "key": "access"}}
    place = place_of({"s3": store}, {"s3": {"key": "k"}})
    assert place.options == {"client_kwargs": {"endpoint_url": f"https://{endpoint}"}, "key": "key"}


@pytest.mark.parametrize(
    "endpoint",
    ["s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn", "s3.amazonaws.com:443", ""],
    ids=lambda endpoint: endpoint or "none",
)
def test_amazon_s_own_endpoints_are_found_by_region(endpoint: str) -> None:
    place = place_of({"s3": {"bucket": "b", "endpoint": endpoint, "region": "r"}}, {"s3": {"key": "k"}})
    assert place.options == {"client_kwargs": {"region_name": "r"}}


def test_a_store_in_the_cluster_comes_through_a_forward() -> None:
    asked: list[tuple[str, str, int]] = []

    @contextmanager
    def forward(namespace: str, service: str, port: int) -> Iterator[int]:
        asked.append((namespace, service, port))
        yield 4711

    store = {"bucket": "b", "endpoint": "store.data.svc.cluster.local:7070", "insecure": True, "region": "x"}
    with bring_near(place_of({"s3": store}, {"s3": {"key": "k"}}), forward) as near:
        assert near.options == {"client_kwargs": {"region_name": "x", "endpoint_url": "http://127.0.0.1:4711"}}
    assert asked == [("data", "store", 7070)]
    for endpoint in ("minio.example.com:9000", "s3.amazonaws.com"):
        far = place_of({"s3": {**store, "endpoint": endpoint}}, {"s3": {"key": "k"}})
        with bring_near(far, forward) as near:
            assert near == far
    assert len(asked) == 1


def test_a_store_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = {"bucket": "b", "endpoint": "127.0.0.1:9", "insecure": True, "accessKeySecret": {"key": "access"}}
    place = place_of({"s3": {**store, "secretKeySecret": {"key": "secret"}}}, {"s3": {"key": "k"}})
    with pytest.raises(ToolError, match="s3://b/k cannot be read: Could not connect"):
        fetch(place, tmp_path / "x")


def test_a_store_without_its_package_says_which(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    blob = place_of(
        {"azure": {"container": "c", "endpoint": "https://a.blob.core.windows.net"}}, {"azure": {"blob": "k"}}
    )
    try:
        import adlfs  # noqa: F401
    except ImportError:
        with pytest.raises(PreflightError, match="adlfs is missing"):
            fetch(blob, tmp_path / "x")
    else:
        pytest.skip("adlfs is installed here")


def pack(name: str, content: bytes = b"hello") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def test_archives_come_back_as_what_they_hold_and_stay_inside(tmp_path: Path) -> None:
    save(lambda path: path.write_bytes(pack("rows.csv")) and None, {"name": "a"}, tmp_path / "s" / "rows.csv")
    assert (tmp_path / "s" / "rows.csv").read_bytes() == b"hello"
    save(lambda path: path.write_bytes(pack("model/MLmodel")) and None, {"name": "a"}, tmp_path / "s" / "model")
    assert (tmp_path / "s" / "model" / "MLmodel").read_bytes() == b"hello"
    none = {"name": "a", "archive": {"none": {}}}
    save(lambda path: path.write_bytes(pack("x")) and None, none, tmp_path / "s" / "x.tgz")
    assert tarfile.is_tarfile(tmp_path / "s" / "x.tgz")
    with pytest.raises(RefusedError, match=r"artifact a is not unpacked: .*evil"):
        save(lambda path: path.write_bytes(pack("../../evil")) and None, {"name": "a"}, tmp_path / "s" / "evil")
    assert not (tmp_path.parent / "evil").exists()
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["model", "rows.csv", "x.tgz"]


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", random.Random(0).randbytes(100_000))
    return data.getvalue()


def spoil(content: bytes) -> bytes:
    """The same, with other bytes in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes(200) + content[middle + 200 :]


ROWS = random.Random(0).randbytes(100_000)


@pytest.mark.parametrize(
    "broken",
    [pack("rows.csv", ROWS)[:50_000], spoil(pack("rows.csv", ROWS)), spoil(zipped())],
    ids=["cut-off", "spoilt", "spoilt-zip"],
)
def test_a_broken_archive_is_named_and_what_was_there_stays(tmp_path: Path, broken: bytes) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("before")
    with pytest.raises(ToolError, match="artifact dataset cannot be unpacked: ") as caught:
        save(lambda path: path.write_bytes(broken) and None, {"name": "dataset"}, target)
    assert "run its step again" in caught.value.hint
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


# the way to Argo's server


def test_argos_own_variables_lead_to_its_server() -> None:
    assert open_server_engine({"ARGO_SERVER": "a:1"}, namespace="argo") is None
    engine = open_server_engine({"ARGO_SERVER": "a:1", "ARGO_TOKEN": "t"}, namespace="argo")
    assert engine is not None
    assert engine.api.namespace == "argo"
    plain = {"ARGO_SERVER": "a:1", "ARGO_TOKEN": "t", "ARGO_SECURE": "false", "ARGO_NAMESPACE": "mine"}
    other = open_server_engine(plain, namespace="argo")
    assert other is not None
    assert other.api.namespace == "mine"


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(PreflightError, match=r"http://127\.0\.0\.1:9 cannot be reached: .*refused"):
        Server("http://127.0.0.1:9", "secret-token", verify=True).ask("GET", "version")


def test_a_run_that_is_not_there_has_no_neighbours_to_offer() -> None:
    with pytest.raises((NotFoundError, PreflightError)):
        ArgoServerEngine("http://127.0.0.1:9", "", "argo").get("x")

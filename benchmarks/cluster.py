"""What the command itself costs on a cluster: charts, a deploy with nothing to do, a full API, a run of five steps."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.figure import Figure
from benchmarks.ground import CACHE, MLOPS, ROOT, clean_environment
from benchmarks.race import Contender, race
from benchmarks.site import CHARTS, IMAGE, WORKFLOW, Site, write_project
from platform_cli.tools.kubernetes_kind import NAMESPACE, ROLE, ROLE_BINDING, SERVICE_ACCOUNT

WORKFLOWS, MODELS = 1000, 200
_AT_ONCE = 8
_RUNNER = "argo-workflow"


def compare_rendering(rounds: int) -> list[Figure]:
    """Every chart of the largest target, with the values that a plan would give them; no cluster is asked."""
    write_project(CACHE / "cluster")
    folder = clean_environment(PYTHONPATH=str(ROOT / "tests"))
    argv = (sys.executable, "-m", "benchmarks.rendering", "aws", CHARTS)
    times = race((Contender(name="render", argv=argv, cwd=ROOT, env=folder),), rounds=rounds)
    return [Figure(what="render all charts of aws/dev", ours=times["render"].median, limit=2, absolute=True)]


def compare_deploy(site: Site, rounds: int) -> list[Figure]:
    """A deploy of what is there already."""
    site.require_platform()
    seconds = _time(site, "deploy", "--yes", rounds=rounds)
    return [Figure(what="`mlops deploy`, nothing to do", ours=seconds, limit=5, absolute=True)]


def compare_status(site: Site, rounds: int) -> list[Figure]:
    """The status of a platform with many runs and models beside that of the same without."""
    site.require_platform()
    few = _time(site, "status", rounds=rounds)
    with _crowd(site):
        many = _time(site, "status", rounds=rounds)
    what = f"`mlops status`, {WORKFLOWS:,} workflows and {MODELS} models"
    return [
        Figure(what=what, ours=many, limit=2, absolute=True),
        Figure(what=what, ours=many, beside=few, beside_name="the same with none"),
    ]


def compare_share(site: Site, rounds: int) -> list[Figure]:
    """From the command to its end, without what the workflow itself took."""
    site.require_argo()
    manifest = _write_steps(site.folder)
    with _runner(site):
        shares = [_take_share(site, manifest) for _ in range(rounds)]
    what = "`mlops pipeline submit --wait`, five steps, without the workflow's own time"
    return [Figure(what=what, ours=median(shares), limit=2, absolute=True)]


def _time(site: Site, *words: str, rounds: int) -> float:
    ours = Contender(name="mlops", argv=(MLOPS, *words), cwd=site.folder, env=site.environment)
    return race((ours,), rounds=rounds)["mlops"].median


def _take_share(site: Site, manifest: Path) -> float:
    """Argo writes whole seconds, which the median over some rounds evens out."""
    before = time.perf_counter()
    text = site.mlops("pipeline", "submit", str(manifest), "--wait", "--no-cache", "--output", "json")
    whole = time.perf_counter() - before
    name = next(line["run"] for line in map(json.loads, text.splitlines()) if "run" in line)
    status = json.loads(site.mlops("pipeline", "get", name, "--output", "json"))["status"]
    site.mlops("pipeline", "delete", name, "--yes")
    return whole - (_moment(status["finishedAt"]) - _moment(status["startedAt"]))


def _moment(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def _write_steps(folder: Path) -> Path:
    manifest = yaml.safe_load((ROOT / "benchmarks" / "workflows" / "noop5.yaml").read_text("utf-8"))
    manifest["spec"]["serviceAccountName"] = _RUNNER
    manifest["spec"]["templates"][1]["container"] |= {"image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    path = folder / "noop5.yaml"
    path.write_text(yaml.safe_dump(manifest, sort_keys=False), "utf-8")
    return path


@contextmanager
def _runner(site: Site) -> Iterator[None]:
    """The account that steps run as, where an Argo that somebody else installed has none."""
    kubernetes = site.kubernetes
    if kubernetes.get(SERVICE_ACCOUNT, _RUNNER, "argo") is not None:
        yield
        return
    group = "rbac.authorization.k8s.io"
    place = {"name": _RUNNER, "namespace": "argo"}
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    role = {"apiGroup": group, "kind": "Role", "name": _RUNNER}
    subject = {"kind": "ServiceAccount", **place}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": place, "rules": [rule]},
        {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": place, "roleRef": role, "subjects": [subject]},
    ]
    try:
        for item in objects:
            kubernetes.apply(item)
        yield
    finally:
        for kind in (ROLE_BINDING, ROLE, SERVICE_ACCOUNT):
            kubernetes.delete(kind, _RUNNER, "argo")


@contextmanager
def _crowd(site: Site) -> Iterator[None]:
    """Runs that have ended and models that are stopped, in a namespace of their own: no controller works for them."""
    namespace, kubernetes = f"bench-crowd-{uuid.uuid4().hex[:6]}", site.kubernetes
    kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    runs = (_make_run(namespace, number) for number in range(WORKFLOWS))
    models = (_make_model(namespace, number) for number in range(MODELS))
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(kubernetes.create, (*runs, *models)))
        yield
    finally:
        kubernetes.delete(NAMESPACE, namespace)


def _make_run(namespace: str, number: int) -> dict[str, Any]:
    """As large as a run of the training pipeline is."""
    labels = {
        "workflows.argoproj.io/controller-instanceid": namespace,
        "workflows.argoproj.io/completed": "true",
        "workflows.argoproj.io/phase": "Succeeded",
    }
    times = {"startedAt": "2026-01-01T10:00:00Z", "finishedAt": "2026-01-01T10:01:00Z", "phase": "Succeeded"}
    names = [f"run-{number}-{step}" for step in range(6)]
    nodes = {
        name: {"id": name, "name": name, "displayName": name, "type": "Pod", "message": "m" * 300, **times}
        for name in names
    }
    template = {"name": "main", "container": {"image": "none", "args": ["a" * 2000]}}
    return {
        "apiVersion": WORKFLOW.api_version,
        "kind": WORKFLOW.kind,
        "metadata": {"name": f"run-{number:04}", "namespace": namespace, "labels": labels},
        "spec": {"entrypoint": "main", "templates": [template]},
        "status": {**times, "nodes": nodes},
    }


def _make_model(namespace: str, number: int) -> dict[str, Any]:
    model = {"modelFormat": {"name": "mlflow"}, "runtime": "mlops-mlflow", "storageUri": "mlflow://models/bench/1"}
    annotations = {"serving.kserve.io/stop": "true"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": f"model-{number:03}", "namespace": namespace, "annotations": annotations},
        "spec": {"predictor": {"model": model}},
    }

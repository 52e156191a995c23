"""The five-step training pipeline on a real Argo controller: artifacts in an S3 API, the model in a real MLflow."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from argo_fixtures import Bench, config_map, find_port, nodes_of, open_bench, wait_for_port

from platform_cli.events import NodeFinished
from platform_cli.layout import Layout, find_assets
from platform_cli.tools.kubernetes_kind import Kind
from platform_cli.workflow.argo_engine import ArgoEngine
from platform_cli.workflow.interface import Submission
from platform_cli.workflow.preparation import prepare_parameters

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
DOOR = Path(__file__).resolve().parents[2] / "shared" / "kube" / "kube"
DOORS = Path(os.environ.get("KUBE_STATE", "/tmp/mlops-kube")) / "pid"
GATE = "172.30.0.1"
BUCKET = "runs"
TEMPLATE = Kind("argoproj.io/v1alpha1", "WorkflowTemplate", "workflowtemplates", namespaced=True)
STEPS = ("load-data", "validate-data", "feature-engineering", "train-model", "register-model")


@dataclass(frozen=True)
class Site:
    """What the steps need from outside: ports of an S3 API and of an MLflow server on this machine."""

    s3: int
    mlflow: int


@contextmanager
def open_mlflow(folder: Path) -> Iterator[int]:
    port = find_port()
    hosts = f"{GATE}:*,127.0.0.1:*,localhost:*"
    argv = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    argv += [f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}/artifacts"]
    argv += [f"--allowed-hosts={hosts}"]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for_port(port, process)
            yield port
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


@contextmanager
def open_s3() -> Iterator[int]:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    options = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **options).create_bucket(Bucket=BUCKET)
    yield port
    server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not DOOR.exists():
        pytest.skip("pods can reach servers of this machine only on the cluster of ../shared/kube")
    folder = tmp_path_factory.mktemp("mlflow")
    with open_s3() as s3, open_mlflow(folder) as mlflow, open_door(s3), open_door(mlflow):
        yield Site(s3, mlflow)


@contextmanager
def open_door(port: int) -> Iterator[None]:
    """Let pods reach a port of this machine."""
    subprocess.run([DOOR, "door", str(port)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    for file in DOORS.glob(f"door-{port}*"):
        os.kill(int(file.read_text()), signal.SIGTERM)
        file.unlink()


@pytest.fixture(scope="module")
def bench(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_bench(tmp_path_factory.mktemp("training")) as opened:
        install_platform(opened, site)
        environ = {**os.environ, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{site.s3}"}
        opened.engine = ArgoEngine(opened.kubernetes, opened.namespace, environ=environ)
        yield opened


def install_platform(bench: Bench, site: Site) -> None:
    """What a deployed platform has in the namespace of its runs."""
    where = bench.namespace
    platform = {"mlflow-tracking-uri": f"http://{GATE}:{site.mlflow}", "environment": "dev", "cloud": "existing"}
    repository = f"""\
s3:
  bucket: {BUCKET}
  endpoint: {GATE}:{site.s3}
  insecure: true
  region: us-east-1
  keyFormat: "{{{{workflow.name}}}}/{{{{pod.name}}}}"
  accessKeySecret: {{name: bucket, key: access}}
  secretKeySecret: {{name: bucket, key: secret}}
archiveLogs: true
"""
    bench.kubernetes.apply(config_map(where, "mlops-platform", platform))
    repositories = config_map(where, "artifact-repositories", {"main": repository})
    repositories["metadata"]["annotations"] = {"workflows.argoproj.io/default-artifact-repository": "main"}
    bench.kubernetes.apply(repositories)
    data = {name: base64.b64encode(value).decode() for name, value in (("access", b"key"), ("secret", b"secret"))}
    metadata = {"namespace": where, "name": "bucket"}
    bench.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def test_the_training_pipeline_registers_a_model_and_its_artifacts_come_back(
    bench: Bench, site: Site, tmp_path: Path
) -> None:
    manifest = Layout(assets=find_assets(), project=tmp_path).training_workflow
    wanted = {"model-type": "logistic-regression", "model-name": "iris-on-argo"}
    parameters = prepare_parameters(manifest, wanted, bench.engine)
    name = bench.engine.submit(Submission(manifest=manifest, parameters=parameters))
    workflow = bench.engine.run(name, bench.events.append)
    nodes = nodes_of(workflow)
    assert workflow["status"]["phase"] == "Succeeded", [node.get("message") for node in nodes.values()]

    annotations = workflow["metadata"]["annotations"]
    assert {"mlops.dev/submitted-by", "mlops.dev/cli-version", "mlops.dev/spec-hash"} <= set(annotations)
    assert workflow["spec"]["workflowTemplateRef"] == {"name": "ml-training-pipeline"}
    summaries = {
        event.name: event.summary
        for event in bench.events
        if isinstance(event, NodeFinished) and event.kind != "Attempt"
    }
    assert all(summaries[step] for step in STEPS), summaries
    assert "150 rows" in summaries["load-data"]

    copied = {path.relative_to(tmp_path).as_posix() for path in bench.engine.fetch_artifacts(name, tmp_path)}
    assert {"load-data/dataset.parquet", "validate-data/validate-data.html", "train-model/model"} <= copied
    assert (tmp_path / "load-data/dataset.parquet").read_bytes()[:4] == b"PAR1"
    assert (tmp_path / "train-model/model/pipeline.joblib").is_file()

    from mlflow import MlflowClient

    client = MlflowClient(f"http://127.0.0.1:{site.mlflow}")
    (version,) = client.search_model_versions("name='iris-on-argo'")
    assert str(version.version) == "1"

    logs = list(bench.engine.logs(name))
    assert list(dict.fromkeys(line.source.partition("(")[0] for line in logs))[:5] == list(STEPS)


def test_what_was_applied_can_be_submitted_with_argos_own_program(bench: Bench) -> None:
    templates = bench.kubernetes.get(TEMPLATE, "ml-training-pipeline", bench.namespace)
    assert templates is not None, "the test before this one applies it"
    argv = ["argo", "submit", "-n", bench.namespace, "--from", "workflowtemplate/ml-training-pipeline"]
    argv += ["-p", "model-type=logistic-regression", "-p", "model-name=by-argo", "--wait", "-o", "name"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    newest = bench.engine.list(limit=1)[0]
    assert newest["status"]["phase"] == "Succeeded"
    assert newest["metadata"]["name"] in done.stdout

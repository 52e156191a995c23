"""The platform's own backups of MLflow's file: where they are made, and the very script, with a folder and with S3."""

from __future__ import annotations

import contextlib
import gzip
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from target_samples import make_config, make_outputs, select

from platform_cli.cluster.chart import find_chart
from platform_cli.cluster.outputs import Database
from platform_cli.cluster.value import build_values
from platform_cli.tools.helm import open_renderer

MANAGED = ("aws", "azure", "gcp")


def render(cloud: str, *, database: bool = False, **sections: Any) -> dict[str, Any] | None:
    """The CronJob of a target, if it has one; `database` is whether Terraform made one."""
    config = make_config(cloud, **sections)
    outputs = make_outputs(cloud)
    outputs = outputs if database else replace(outputs, database=Database())
    catalog = next(item for item in select(cloud) if item.name == "platform-catalog")
    objects = open_renderer().render(
        find_chart(catalog, config.charts),
        name=catalog.release,
        namespace=catalog.namespace,
        values=build_values(catalog, config, outputs),
        kube_version="1.35",
    )
    return next((item for item in objects if item["kind"] == "CronJob"), None)


def pod_of(job: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def environment_of(job: Mapping[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in pod_of(job)["containers"][0]["env"]}


@pytest.mark.parametrize("cloud", MANAGED)
def test_a_database_server_is_left_to_its_cloud(cloud: str) -> None:
    assert render(cloud, database=True) is None


@pytest.mark.parametrize("cloud", ["existing", "local"])
def test_a_file_is_copied_to_the_store_on_the_cluster(cloud: str) -> None:
    job = render(cloud, images={"registry": "registry.example/team"})
    assert job is not None
    [container] = pod_of(job)["containers"]
    assert container["image"].startswith("registry.example/team/mlops-tracking:")
    found = environment_of(job)
    assert (found["STORE"], found["DATABASE"], found["KEEP"]) == ("s3://mlflow", "/mlflow/mlflow.db", "7")
    assert found["MLFLOW_S3_ENDPOINT_URL"] == "http://object-store.mlops-system.svc.cluster.local:7070"
    keys = {item["name"]: item["valueFrom"]["secretKeyRef"]["name"] for item in container["env"] if "valueFrom" in item}
    assert keys == {"AWS_ACCESS_KEY_ID": "object-store", "AWS_SECRET_ACCESS_KEY": "object-store"}
    assert pod_of(job)["volumes"][0]["persistentVolumeClaim"] == {"claimName": "mlflow-data"}


@pytest.mark.parametrize("cloud", MANAGED)
def test_a_file_goes_to_the_clouds_bucket_with_the_servers_identity(cloud: str) -> None:
    job = render(cloud)
    assert job is not None
    assert pod_of(job)["serviceAccountName"] == "mlflow"
    labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert ("azure.workload.identity/use" in labels) == (cloud == "azure")
    assert environment_of(job)["STORE"].partition("://")[0] == {"aws": "s3", "azure": "wasbs", "gcp": "gs"}[cloud]
    assert "AWS_ACCESS_KEY_ID" not in environment_of(job)


def test_it_can_be_set_otherwise_and_left_out() -> None:
    wish = {"schedule": "0 * * * *", "keep": 24}
    job = render("existing", components={"values": {"platform-catalog": {"backup": wish}}})
    assert job is not None
    assert (job["spec"]["schedule"], environment_of(job)["KEEP"]) == ("0 * * * *", "24")
    assert render("existing", components={"values": {"platform-catalog": {"backup": {"enabled": False}}}}) is None


def test_the_job_is_valid_kubernetes() -> None:
    import kubernetes_validate

    job = render("existing")
    assert job is not None
    kubernetes_validate.validate(job, "1.35", strict=True)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "mlflow.db"
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE experiments (name TEXT)")
        connection.execute("INSERT INTO experiments VALUES ('kept')")
    return file


def run_script(database: Path, store: str, **environment: str) -> str:
    """What the job runs, with this machine's MLflow; returns the name of the copy."""
    job = render("existing")
    assert job is not None
    given = {"DATABASE": str(database), "STORE": store, "KEEP": "2", "PATH": os.environ["PATH"], **environment}
    argv = [sys.executable, "-c", pod_of(job)["containers"][0]["args"][0]]
    done = subprocess.run(argv, env=given, cwd=database.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def read_names(packed: bytes, folder: Path) -> list[tuple[str]]:
    copy = folder / "read.db"
    copy.write_bytes(gzip.decompress(packed))
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        return connection.execute("SELECT name FROM experiments").fetchall()


def test_a_copy_is_whole_and_only_the_newest_are_kept(database: Path, tmp_path: Path) -> None:
    backups = tmp_path / "store" / "backups"
    backups.mkdir(parents=True)
    for name in ("mlflow-20200101T000000Z.db.gz", "mlflow-20200102T000000Z.db.gz", "read-me.txt"):
        (backups / name).write_text("older")
    copy = run_script(database, (tmp_path / "store").as_uri())
    assert read_names((tmp_path / "store" / copy).read_bytes(), tmp_path) == [("kept",)]
    found = sorted(path.name for path in backups.iterdir())
    assert found == ["mlflow-20200102T000000Z.db.gz", copy.partition("/")[2], "read-me.txt"]


@pytest.fixture
def bucket() -> Iterator[tuple[str, str]]:
    """An S3 server on this machine, and a bucket in it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    name, endpoint = f"mlflow-{uuid.uuid4().hex[:6]}", f"http://{host}:{port}"
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket=name)
    yield name, endpoint
    server.stop()


def test_the_same_with_s3(database: Path, tmp_path: Path, bucket: tuple[str, str]) -> None:
    import boto3

    name, endpoint = bucket
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    for day in ("01", "02"):
        client.put_object(Bucket=name, Key=f"backups/mlflow-202001{day}T000000Z.db.gz", Body=b"older")
    copy = run_script(database, f"s3://{name}", MLFLOW_S3_ENDPOINT_URL=endpoint, **keys)
    assert read_names(client.get_object(Bucket=name, Key=copy)["Body"].read(), tmp_path) == [("kept",)]
    found = [item["Key"] for item in client.list_objects_v2(Bucket=name)["Contents"]]
    assert sorted(found) == sorted(["backups/mlflow-20200102T000000Z.db.gz", copy])

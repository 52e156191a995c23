"""Upgrades that fail half way, on a real cluster: what came up stays, and a migrated MLflow is not put below its data.

MLflow's place is taken by a program with MLflow's names, its file and its table of revisions, which is up at once.
"""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from own_chart import of_kind
from platform_fixtures import IMAGE, TARGET, Cluster, make_crd, make_deployment, make_object

from platform_cli.cluster.execution import run_inside
from platform_cli.errors import DeadlineError, RefusedError, ToolError
from platform_cli.tools.kubernetes_kind import DEPLOYMENT, NAMESPACE, POD, Kind

pytestmark = pytest.mark.cluster

TRACKING = "docker.io/library/mlops-tracking:0.1.0"
# The same image, as another tag would be: only the names are compared.
NEWER = "library/mlops-tracking:0.1.0"
URI = "--backend-store-uri=sqlite:////mlflow/mlflow.db"
SERVE = """
import contextlib, sqlite3, threading
with contextlib.closing(sqlite3.connect('/mlflow/mlflow.db')) as database, database:
    database.execute('CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)')
    found = database.execute('SELECT version_num FROM alembic_version').fetchall()
    if not found:
        database.execute("INSERT INTO alembic_version VALUES ('a1')")
        database.execute('CREATE TABLE experiments (name TEXT)')
        database.execute("INSERT INTO experiments VALUES ('kept')")
    assert found in ([], [('a1',)]), 'Detected out-of-date database schema'
threading.Event().wait()
"""
MIGRATE = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect('/mlflow/mlflow.db')) as database, database:
    database.execute('UPDATE alembic_version SET version_num = ?', [sys.argv[1]])
print('tracking_server: schema ' + sys.argv[1], file=sys.stderr)
"""
SECURITY = {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
MOUNTS = [{"name": "data", "mountPath": "/mlflow"}]


def python(script: str, *words: str) -> dict[str, Any]:
    return {"command": ["python", "-c", script, *words], "imagePullPolicy": "IfNotPresent", "volumeMounts": MOUNTS}


def make_server(container: dict[str, Any], **pod: Any) -> list[dict[str, Any]]:
    """MLflow's Deployment and volume."""
    deployment = make_deployment("mlflow")
    spec = deployment["spec"]
    labels = {"app.kubernetes.io/name": "mlflow"}
    spec["strategy"] = {"type": "Recreate"}
    spec["selector"]["matchLabels"] = spec["template"]["metadata"]["labels"] = labels
    spec["template"]["spec"] |= {
        "securityContext": SECURITY,
        "containers": [{"name": "mlflow", **container}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "mlflow-data"}}],
        **pod,
    }
    resources = {"requests": {"storage": "1Mi"}}
    claim_spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
    return [deployment, make_object("PersistentVolumeClaim", "mlflow-data", spec=claim_spec)]


def migrate_to(schema: str) -> dict[str, Any]:
    return {"name": "migrate", "image": TRACKING, **python(MIGRATE, schema)}


@pytest.fixture
def served(platform_cluster: Cluster) -> Iterator[Cluster]:
    """A component, MLflow, and one more, which need each other in that order."""
    cluster = platform_cluster
    cluster.add("first", make_deployment("first"), health=("deployment/first",))
    old = {"image": TRACKING, **python(SERVE, URI)}
    cluster.add("mlflow", *make_server(old), needs=("first",), health=("deployment/mlflow",))
    cluster.add("later", make_deployment("later"), needs=("mlflow",), health=("deployment/later",))
    cluster.deploy()
    yield cluster


def break_server(cluster: Cluster, *, schema: str) -> tuple[str, ...]:
    """Upgrade all three to servers of which MLflow's migrates and then does not start; returns the error's details."""
    cluster.add("first", make_deployment("first"), version="1.1.0", health=("deployment/first",))
    broken = {"image": IMAGE, "command": ["/absent"], "imagePullPolicy": "IfNotPresent"}
    objects = make_server(broken, initContainers=[migrate_to(schema)])
    cluster.add("mlflow", *objects, version="1.1.0", needs=("first",), health=("deployment/mlflow",))
    later = make_deployment("later", replicas=2)
    cluster.add("later", later, version="1.1.0", needs=("mlflow",), health=("deployment/later",))
    cluster.deadline_s = 15
    with pytest.raises(DeadlineError, match=r"^mlflow: ") as caught:
        cluster.upgrade()
    return caught.value.details


def versions(cluster: Cluster) -> dict[str, str]:
    found = cluster.platform._sight.helm.list()
    return {release.name: release.version for release in found if release.namespace.startswith(cluster.prefix)}


def test_a_migrated_mlflow_stays_and_so_does_what_came_up(served: Cluster) -> None:
    details = break_server(served, schema="b2")
    assert "came up and stay at their new versions: first" in details
    [line] = [line for line in details if line.startswith("mlflow stays at its new version: its database was migrated")]
    assert "restore the backup" in line
    assert not any(line.startswith("rolled back") for line in details)
    assert versions(served) == {"first": "1.1.0", "mlflow": "1.1.0", "later": "1.0.0"}
    # A server that starts again ends it: the backup of the others does not need the one that is down.
    fixed = {"image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    objects = make_server(fixed, initContainers=[migrate_to("b2")])
    served.add("mlflow", *objects, version="1.1.0", needs=("first",), health=("deployment/mlflow",))
    served.deadline_s = 60
    served.upgrade()
    assert "MLflow does not run: its database is not saved, and this leaves it alone" in served.said()
    assert versions(served)["later"] == "1.1.0"
    assert served.plan().changes == ()


def test_an_mlflow_whose_schema_is_what_it_was_goes_back_alone(served: Cluster) -> None:
    details = break_server(served, schema="a1")
    assert {"rolled back: mlflow", "came up and stay at their new versions: first"} < set(details)
    assert versions(served) == {"first": "1.1.0", "mlflow": "1.0.0", "later": "1.0.0"}
    found = served.kubernetes.get(DEPLOYMENT, "mlflow", served.space("mlflow"))
    assert found is not None
    assert found["status"]["availableReplicas"] == 1


def test_the_backup_holds_sqlites_own_copy_of_the_file(served: Cluster, tmp_path: Path) -> None:
    break_server(served, schema="a1")
    [backup] = served.layout.home(TARGET.name).backups.iterdir()
    about = json.loads((backup / "mlflow.json").read_text())
    assert (about["kind"], about["schema"], about["server"]) == ("sqlite", "a1", TRACKING)
    unpacked = tmp_path / "copy.db"
    unpacked.write_bytes(gzip.decompress((backup / "mlflow.db.gz").read_bytes()))
    assert unpacked.stat().st_size == about["bytes"]
    with contextlib.closing(sqlite3.connect(unpacked)) as database:
        assert database.execute("SELECT name FROM experiments").fetchall() == [("kept",)]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {path.stat().st_mode & 0o777 for path in backup.iterdir()} == {0o600}


JOB = Kind("batch/v1", "Job", "jobs", namespaced=True)


def test_the_platforms_own_backup_runs_beside_the_server(served: Cluster) -> None:
    space = served.space("mlflow")
    template = copy.deepcopy(of_kind("existing", "CronJob")["mlflow/mlflow-backup"]["spec"]["jobTemplate"])
    pod = template["spec"]["template"]["spec"]
    # The store is tried elsewhere; here it is a folder of the volume that the server has.
    pod["containers"][0]["env"] = [
        {"name": "DATABASE", "value": "/mlflow/mlflow.db"},
        {"name": "STORE", "value": "file:///mlflow/store"},
        {"name": "KEEP", "value": "7"},
    ]
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    served.kubernetes.patch(NAMESPACE, space, None, {"metadata": {"labels": labels}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mlflow", "namespace": space}}
    served.kubernetes.create(account)
    metadata = {"name": "backup", "namespace": space}
    served.kubernetes.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]})
    changes = served.kubernetes.watch(JOB, space, name="backup", timeout_s=120)
    ended = next(item["status"] for _, item in changes if {"succeeded", "failed"} & set(item.get("status") or ()))
    assert ended.get("succeeded") == 1
    [made] = served.kubernetes.list(POD, space, labels="job-name=backup")
    said = list(served.kubernetes.logs(made["metadata"]["name"], space, container="backup"))
    assert said[-1].startswith("file:///mlflow/store backups/mlflow-")


STORE = "ghcr.io/versity/versitygw:v1.8.0"
FILL = """
import boto3, os
client = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL'])
client.create_bucket(Bucket='mlflow')
for key, size in (('1/a/model.pkl', 3_000_000), ('1/b/MLmodel', 10), ('backups/mlflow-1.db.gz', 10)):
    client.put_object(Bucket='mlflow', Key=key, Body=key[0].encode() * size)
print('filled')
"""


def make_store() -> list[dict[str, Any]]:
    """The store that the platform brings, without its volume."""
    keys = [{"name": "ROOT_ACCESS_KEY_ID", "value": "key"}, {"name": "ROOT_SECRET_ACCESS_KEY", "value": "secret"}]
    args = ["--port", ":7070", "--health", "/health", "posix", "--sidecar", "/data/metadata", "/data/objects"]
    probe = {"httpGet": {"path": "/health", "port": 7070}, "periodSeconds": 1}
    deployment = make_deployment("object-store", STORE, args=args, env=keys, readinessProbe=probe)
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    folders = ["python", "-c", "import os; [os.makedirs('/data/' + name) for name in ('metadata', 'objects')]"]
    mounts = pod["containers"][0]["volumeMounts"]
    pod["initContainers"] = [{"name": "folders", "image": TRACKING, "command": folders, "volumeMounts": mounts}]
    pod["securityContext"] = SECURITY
    pod["volumes"] = [{"name": "data", "emptyDir": {}}]
    service = {"ports": [{"port": 7070}], "selector": {"app": "object-store"}}
    return [deployment, make_object("Service", "object-store", spec=service)]


@pytest.mark.parametrize("wanted", [True, False], ids=["with-artifacts", "without"])
def test_artifacts_on_the_cluster_are_in_the_backup_unless_they_are_left_out(
    platform_cluster: Cluster, wanted: bool
) -> None:
    cluster = platform_cluster
    space = cluster.space("mlflow")
    environment = {
        "MLFLOW_S3_ENDPOINT_URL": f"http://object-store.{space}.svc.cluster.local:7070",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    env = [{"name": name, "value": value} for name, value in environment.items()]
    old = {"image": TRACKING, "env": env, **python(SERVE, URI, "--artifacts-destination=s3://mlflow/")}
    health = ("deployment/object-store", "deployment/mlflow")
    cluster.add("mlflow", *make_store(), *make_server(old), health=health)
    cluster.deploy()
    [pod] = cluster.kubernetes.list(POD, space, labels="app.kubernetes.io/name=mlflow")
    inside = run_inside(
        cluster.kubernetes, pod["metadata"]["name"], space, ("python", "-c", FILL), container="mlflow", timeout_s=60
    )
    assert b"".join(inside) == b"filled\n"
    cluster.add("mlflow", *make_store(), *make_server(old), version="1.1.0", health=health)
    cluster.upgrade(artifacts=wanted)
    [backup] = cluster.layout.home(TARGET.name).backups.iterdir()
    about = json.loads((backup / "mlflow.json").read_text())["artifacts"]
    if not wanted:
        assert (about, (backup / "artifacts.tar.gz").exists()) == ({}, False)
        return
    assert about == {"file": "artifacts.tar.gz", "count": 2, "bytes": 3_000_010}
    with tarfile.open(backup / "artifacts.tar.gz") as archive:
        sizes = {item.name: item.size for item in archive}
    assert sizes == {"1/a/model.pkl": 3_000_000, "1/b/MLmodel": 10}
    assert "copies 2 artifacts of MLflow's, 3.0 MB; --no-artifacts leaves them out" in cluster.said()
    assert "2 artifacts (3.0 MB)" in cluster.details()["backup"]


CHANGE = """
import contextlib, sqlite3
with contextlib.closing(sqlite3.connect('/mlflow/mlflow.db')) as database, database:
    database.execute("INSERT INTO experiments VALUES ('later')")
"""
READ = """
import contextlib, sqlite3
with contextlib.closing(sqlite3.connect('/mlflow/mlflow.db')) as database:
    print(database.execute('SELECT version_num FROM alembic_version').fetchall())
    print(database.execute('SELECT name FROM experiments').fetchall())
"""


def ask(cluster: Cluster, script: str) -> str:
    """What a script says in the server's container."""
    space = cluster.space("mlflow")
    pods = cluster.kubernetes.list(POD, space, labels="app.kubernetes.io/name=mlflow")
    [pod] = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    argv = ("python", "-c", script)
    said = run_inside(cluster.kubernetes, pod["metadata"]["name"], space, argv, container="mlflow", timeout_s=60)
    return b"".join(said).decode()


def test_a_backup_is_put_back_with_the_server_that_it_fits(served: Cluster) -> None:
    group = f"{served.prefix}.mlops.test"
    crd = make_crd(group, "Thing", "things")
    served.add("first", make_deployment("first"), crds=[crd], owns=(f"things.{group}",), health=("deployment/first",))
    served.deploy()
    things = served.kubernetes.find_kind(f"{group}/v1", "Thing")
    assert things is not None
    for name, owners in (("kept", []), ("made", [{"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "1"}])):
        thing = make_object("Thing", name, f"{group}/v1", size=1)
        thing["metadata"] |= {"namespace": served.space("first"), "ownerReferences": owners}
        served.kubernetes.create(thing)
    # A newer server, as an upgrade brings it: under another tag, with a migration.
    newer = SERVE.replace("('a1',)", "('b2',)")
    objects = make_server({"image": NEWER, **python(newer, URI)}, initContainers=[migrate_to("b2")])
    served.add("mlflow", *objects, version="1.1.0", needs=("first",), health=("deployment/mlflow",))
    served.upgrade()
    ask(served, CHANGE)
    assert ask(served, READ) == "[('b2',)]\n[('kept',), ('later',)]\n"
    served.kubernetes.delete(things, "kept", served.space("first"))
    served.kubernetes.delete(things, "made", served.space("first"))
    [backup] = served.layout.home(TARGET.name).backups.iterdir()
    for _ in range(2):
        lines = served.restore(backup.name)
        assert "1 resources applied" in lines
        assert "MLflow's database put back, schema a1" in lines
        assert ask(served, READ) == "[('a1',)]\n[('kept',)]\n"
    assert versions(served)["mlflow"] == "1.0.0"
    kept = served.kubernetes.get(things, "kept", served.space("first"))
    assert kept is not None
    assert kept["size"] == 1
    assert served.kubernetes.get(things, "made", served.space("first")) is None
    assert served.kubernetes.get(POD, "mlflow-restore", served.space("mlflow")) is None
    # What is on the cluster now is older than this mlops once more.
    with pytest.raises(RefusedError, match="would get another version"):
        served.deploy()
    served.upgrade()
    assert ask(served, READ) == "[('b2',)]\n[('kept',)]\n"


def test_a_broken_copy_leaves_the_file_and_the_server(served: Cluster) -> None:
    served.add("first", make_deployment("first"), version="1.1.0", health=("deployment/first",))
    served.upgrade()
    [backup] = served.layout.home(TARGET.name).backups.iterdir()
    whole = gzip.decompress((backup / "mlflow.db.gz").read_bytes())
    (backup / "mlflow.db.gz").write_bytes(gzip.compress(whole[: len(whole) // 2]))
    with pytest.raises(ToolError, match="python in pod mlflow-restore failed"):
        served.restore(str(backup))
    served.deploy()
    assert ask(served, READ) == "[('a1',)]\n[('kept',)]\n"
    assert served.kubernetes.get(POD, "mlflow-restore", served.space("mlflow")) is None

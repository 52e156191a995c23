"""What a cloud is to the journeys on a real cluster: an account that Terraform fills, tokens, and what pods get of it.

AWS is the stand-in with the real provider; Azure and Google are the schema provider, beside which only their logins are
played. A real API server asks at a fixed place about tokens, and pods reach a fixed place only, so that `SiteOfPods`
comes from the environment; whoever makes the cluster sets it (`.ci/cluster`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cloud_authenticators import (
    ADMINS,
    Authenticator,
    AwsAuthenticator,
    EntraAuthenticator,
    EntraStandIn,
    GoogleAuthenticator,
    GoogleStandIn,
    User,
)
from terraform_fixtures import MIRROR, REGION, StandIn
from test_terraform_clouds import schema_mirror

from platform_cli.cluster.access import Access

KEYS = {"test": "test"}
STORE_KEYS = {"key": "test", "secret": "test"}
AKS_PORT = 443
BUCKET = "artifacts"
STORE_SECRET = "test-store"
CLUSTER_ADMIN = "AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True)
class SiteOfPods:
    """Where the cluster finds this machine: `host` from inside, and doors to ports of 127.0.0.1.

    Attributes:
        tokens: port that the API server asks about bearer tokens.
        store: port of the object store.
        database: port of the database; 0 without such a door.
    """

    host: str
    tokens: int
    store: int
    database: int = 0


def find_site() -> SiteOfPods:
    """As the environment says; skips where the cluster has no such doors."""
    found = os.environ.get("MLOPS_TEST_DOORS", "")
    if not found:
        pytest.skip("needs a cluster whose API server asks the test about tokens: set MLOPS_TEST_DOORS")
    host, *ports = found.split(":")
    return SiteOfPods(host, *map(int, ports))


@dataclass(frozen=True)
class Side:
    """One cloud, ready for a user.

    Attributes:
        environment: what makes the command, Terraform and the SDKs come here.
        document: parts of platform.yaml.
        authenticator: what the cluster asks about tokens.
        user: whom the user is to the cluster.
        read_entry: an entry of the secret store, by name.
        store: what serves S3 to pods.
        values: Helm values by component that lead pods to the store.
        list_left: what is in the account, by kind.
    """

    name: str
    environment: Mapping[str, str]
    document: Mapping[str, Any]
    authenticator: Authenticator
    user: str
    read_entry: Callable[[str], Mapping[str, str]]
    store: StandIn
    values: Mapping[str, Any]
    list_left: Callable[[], Mapping[str, list[str]]] = field(default=dict)

    def list_objects(self, what: str) -> list[str]:
        """Bucket and key of everything that `argo` or `mlflow` stored."""
        s3 = self.store.client("s3")
        buckets = [item["Name"] for item in s3.list_buckets()["Buckets"]]
        found = [(name, s3.list_objects_v2(Bucket=name).get("Contents", ())) for name in buckets]
        paths = [f"{bucket}/{item['Key']}" for bucket, items in found for item in items]
        return [path for path in paths if what in path]


def store_values(site: SiteOfPods, argo: Mapping[str, Any], mlflow: Mapping[str, Any]) -> dict[str, Any]:
    """The store's address and keys, in place of the pods' own identity; `argo` and `mlflow` say more."""
    s3 = {
        "endpoint": f"{site.host}:{site.store}",
        "insecure": True,
        "useSDKCreds": False,
        "accessKeySecret": {"name": STORE_SECRET, "key": "key"},
        "secretKeySecret": {"name": STORE_SECRET, "key": "secret"},
    }
    environment = {
        "AWS_ACCESS_KEY_ID": STORE_KEYS["key"],
        "AWS_SECRET_ACCESS_KEY": STORE_KEYS["secret"],
        "MLFLOW_S3_ENDPOINT_URL": f"http://{site.host}:{site.store}",
    }
    return {
        "argo-workflows": {"artifactRepository": {**argo, "s3": {**s3, **argo.get("s3", {})}}},
        "mlflow": {"extraEnvVars": environment, **mlflow},
    }


def other_store_values(site: SiteOfPods) -> dict[str, Any]:
    """S3 in place of a cloud's own store: one bucket, a folder for each."""
    s3 = {"bucket": BUCKET, "region": REGION, "keyFormat": "argo/{{workflow.name}}/{{pod.name}}"}
    root = {"azureBlob": {"enabled": False}, "gcs": {"enabled": False}}
    return store_values(
        site,
        {"azure": None, "gcs": None, "s3": s3},
        {"artifactRoot": {**root, "s3": {"enabled": True, "bucket": BUCKET, "path": "mlflow"}}},
    )


class AccessEntries(Mapping[str, User]):
    """Whom EKS lets in, and as what: roles and users with an access entry, administrators by its policy."""

    def __init__(self, stand_in: StandIn, cluster: str) -> None:
        self._eks, self._cluster = stand_in.client("eks"), cluster

    def __getitem__(self, arn: str) -> User:
        if arn not in self._list():
            raise KeyError(arn)
        found = self._eks.list_associated_access_policies(clusterName=self._cluster, principalArn=arn)
        policies = [item["policyArn"].rpartition("/")[2] for item in found["associatedAccessPolicies"]]
        return User(arn, (ADMINS,) if CLUSTER_ADMIN in policies else ())

    def __iter__(self) -> Iterator[str]:
        return iter(self._list())

    def __len__(self) -> int:
        return len(self._list())

    def _list(self) -> list[str]:
        return list(self._eks.list_access_entries(clusterName=self._cluster)["accessEntries"])


@contextlib.contextmanager
def serving_aws(port: int, log: Path, *arguments: str) -> Iterator[StandIn]:
    """A stand-in of the test's own, where pods find it."""
    command = [sys.executable, "-m", "aws_stand_in", "--port", str(port), *arguments]
    with (
        log.open("w") as lines,
        subprocess.Popen(
            command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=lines, text=True
        ) as process,
    ):
        assert process.stdout
        try:
            yield StandIn(process.stdout.readline().strip())
        finally:
            process.terminate()


@contextlib.contextmanager
def serving_bucket(site: SiteOfPods, folder: Path) -> Iterator[StandIn]:
    """S3 alone, with the bucket."""
    with serving_aws(site.store, folder / "aws.log") as store:
        store.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield store


@contextlib.contextmanager
def open_aws(folder: Path, access: Access, site: SiteOfPods) -> Iterator[Side]:
    """EKS' API is the test cluster's; its authenticator asks the stand-in's STS and looks at its access entries."""
    certificate = str(access.cluster["certificate-authority-data"])
    name = "mlops-core-dev"
    with serving_aws(site.store, folder / "aws.log", "--cluster", access.server, certificate) as aws:
        before = aws.inventory()
        entries = AccessEntries(aws, name)
        manager = aws.client("secretsmanager")
        with AwsAuthenticator(name, aws.url, KEYS, entries, port=site.tokens) as authenticator:
            yield Side(
                name="aws",
                environment={
                    **aws.environment,
                    "AWS_REGION": REGION,
                    "MLOPS_COMPONENTS_INSTALL": "true",
                },
                document={"terraform": {"plugin_dirs": [str(MIRROR)] if MIRROR.is_dir() else []}},
                authenticator=authenticator,
                user=str(aws.client("sts").get_caller_identity()["Arn"]),
                read_entry=lambda entry: json.loads(manager.get_secret_value(SecretId=entry)["SecretString"]),
                store=aws,
                values=store_values(site, {}, {}),
                list_left=lambda: new_in(aws.inventory(), before),
            )


@contextlib.contextmanager
def open_azure(folder: Path, access: Access, site: SiteOfPods) -> Iterator[Side]:
    """AKS is reached at port 443, whatever the test cluster's is; tokens are Entra's."""
    server = urlsplit(access.server)
    assert server.hostname and server.port
    certificate = access.cluster["certificate-authority-data"]
    kube_config = [{"host": access.server, "cluster_ca_certificate": certificate}]
    cluster = {"fqdn": server.hostname, "private_fqdn": server.hostname, "kube_config": kube_config}
    with (
        relaying(AKS_PORT, server.hostname, server.port),
        serving_bucket(site, folder) as store,
        EntraStandIn() as entra,
        EntraAuthenticator(entra, port=site.tokens) as authenticator,
    ):
        yield Side(
            name="azure",
            environment={
                **answering(folder, {"azurerm_kubernetes_cluster": cluster}),
                **entra.environment,
                "ARM_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000",
            },
            document={"terraform": {"plugin_dirs": [str(schema_mirror())]}, "preflight": {"account": False}},
            authenticator=authenticator,
            user="operator@example.com",
            read_entry=make_entry,
            store=store,
            values=other_store_values(site),
        )


@contextlib.contextmanager
def open_gcp(folder: Path, access: Access, site: SiteOfPods) -> Iterator[Side]:
    """GKE's answer has the address without a scheme; tokens are those of a service account."""
    certificate = access.cluster["certificate-authority-data"]
    cluster = {
        "endpoint": access.server.removeprefix("https://"),
        "master_auth": [{"cluster_ca_certificate": certificate}],
    }
    with (
        serving_bucket(site, folder) as store,
        GoogleStandIn() as google,
        GoogleAuthenticator(google, port=site.tokens) as authenticator,
    ):
        yield Side(
            name="gcp",
            environment={
                **answering(
                    folder,
                    {
                        "google_client_config": {"project": "mlops-test"},
                        "google_container_cluster": cluster,
                    },
                ),
                **google.environment(folder),
                "GOOGLE_PROJECT": "mlops-test",
            },
            document={"terraform": {"plugin_dirs": [str(schema_mirror())]}, "preflight": {"account": False}},
            authenticator=authenticator,
            user=google.email,
            read_entry=make_entry,
            store=store,
            values=other_store_values(site),
        )


def answering(folder: Path, answers: Mapping[str, Any]) -> dict[str, str]:
    """What the schema provider says of computed values, and where it finds that."""
    file = folder / "answers.json"
    file.write_text(json.dumps(answers))
    return {"TFSCHEMA_ANSWERS": str(file)}


def make_entry(name: str) -> Mapping[str, str]:
    """An entry of a store that the schema provider plays: it keeps no values, so that they are made up here."""
    value = hashlib.sha256(name.encode()).hexdigest()
    return {"username": "admin", "password": value, "key": value}


@contextlib.contextmanager
def relaying(port: int, host: str, to: int) -> Iterator[None]:
    """127.0.0.1:`port` is `host`:`to` as well; skips where only root may have that port."""
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except PermissionError:
        pytest.skip(f"needs port {port}")

    def accept() -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((host, to))
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=(source, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes, and that nothing comes any more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


SIDES: Mapping[str, Callable[[Path, Access, SiteOfPods], contextlib.AbstractContextManager[Side]]] = {
    "aws": open_aws,
    "azure": open_azure,
    "gcp": open_gcp,
}


def new_in(after: Mapping[str, list[str]], before: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What came, by kind; kinds of which nothing came are left out."""
    came = {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items()}
    return {kind: names for kind, names in came.items() if names}

"""Where states lie: one set of tests over a file, S3 (moto), and stand-ins for Azure's blobs and Google's objects."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure_stand_in
import gcs_stand_in
import pytest
from terraform_fixtures import REGION, StandIn

from platform_cli.clouds.aws.backend import S3Backend
from platform_cli.clouds.aws.state_bucket import S3Store
from platform_cli.clouds.azure.backend import AzureBackend
from platform_cli.clouds.azure.state_account import CONTAINER, AzureStore
from platform_cli.clouds.gcp.backend import GcsBackend
from platform_cli.clouds.gcp.state_bucket import GcsStore
from platform_cli.clouds.terraform.backend import Lock, StateBackend, StateStore, parse_lock
from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.errors import MlopsError, PreflightError, RefusedError, StateError

TAGS = {"managed-by": "mlops", "owner": "Team A"}
ME = "ann@laptop"


@dataclass(frozen=True)
class Place:
    """A backend, its store where it has one, and how others see what the store is like."""

    backend: StateBackend
    store: StateStore | None = None
    settings: Callable[[], Mapping[str, Any]] = dict
    seize: Callable[[], None] = lambda: None


@pytest.fixture
def local(tmp_path: Path) -> Place:
    return Place(LocalBackend(tmp_path / "state" / "terraform.tfstate"))


@pytest.fixture
def s3(aws: StandIn) -> Place:
    client, bucket = aws.client("s3"), f"states-{uuid.uuid4().hex}"

    def settings() -> Mapping[str, Any]:
        policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]
        closed = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        return {
            "versions": client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled",
            "closed": all(closed.values()) and len(closed) == 4,
            "tls": (policy["Effect"], policy["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}}),
            "encrypted": bool(client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]),
            "ends": {rule["ID"] for rule in client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
            == {"old-versions", "old-heartbeats"},
            "tags": {tag["Key"]: tag["Value"] for tag in client.get_bucket_tagging(Bucket=bucket)["TagSet"]} == TAGS,
        }

    store = S3Store(bucket, REGION, client, TAGS)
    return Place(S3Backend(bucket, "aws/dev/terraform.tfstate", REGION, client), store, settings)


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[tuple[gcs_stand_in.GcsStandIn, str]]:
    with gcs_stand_in.serving() as served:
        yield served


@pytest.fixture
def gcs(gcs_server: tuple[gcs_stand_in.GcsStandIn, str], monkeypatch: pytest.MonkeyPatch) -> Place:
    from google.cloud.storage import Client

    stand_in, url = gcs_server
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    bucket, client = f"states-{uuid.uuid4().hex}", Client(project="p")

    def settings() -> Mapping[str, Any]:
        found = stand_in.buckets[bucket]
        access = found["iamConfiguration"]
        return {
            "versions": found["versioning"]["enabled"],
            "closed": access["publicAccessPrevention"] == "enforced" and access["uniformBucketLevelAccess"]["enabled"],
            "ends": len(found["lifecycle"]["rule"]) == 2,
            "tags": found["labels"] == {"managed-by": "mlops", "owner": "team-a"},
            "region": found["location"].lower() == "europe-west4",
        }

    return Place(
        GcsBackend(bucket, "gcp/dev", client),
        GcsStore(bucket, "europe-west4", client, TAGS),
        settings,
        lambda: stand_in.foreign.add(bucket),
    )


@pytest.fixture(scope="session")
def azure_server() -> Iterator[tuple[azure_stand_in.AzureStandIn, str]]:
    with azure_stand_in.serving() as served:
        yield served


class AnyToken:
    """A credential that the stand-in takes."""

    def get_token(self, *_scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("any", int(time.time()) + 3600)


@pytest.fixture
def azure(azure_server: tuple[azure_stand_in.AzureStandIn, str]) -> Place:
    from azure.core.pipeline.policies import SansIOHTTPPolicy
    from azure.mgmt.resource.resources import ResourceManagementClient
    from azure.mgmt.storage import StorageManagementClient
    from azure.storage.blob import ContainerClient

    stand_in, url = azure_server
    account = f"states{uuid.uuid4().hex[:16]}"
    names = {"storage_account_name": account, "container_name": CONTAINER, "resource_group_name": f"{account}-group"}
    # Their own policy refuses to send a token over loopback without TLS.
    open_as = {"base_url": url, "authentication_policy": SansIOHTTPPolicy()}
    container = ContainerClient(f"{url}/{account}", CONTAINER, retry_total=0)
    path = f"/subscriptions/s/resourceGroups/{account}-group/providers/Microsoft.Storage/storageAccounts/{account}"

    def settings() -> Mapping[str, Any]:
        found, properties = stand_in.resources[path], stand_in.resources[path]["properties"]
        return {
            "tls": properties["supportsHttpsTrafficOnly"] and properties["minimumTlsVersion"] == "TLS1_2",
            "closed": properties["allowBlobPublicAccess"] is False and properties["allowSharedKeyAccess"] is False,
            "versions": stand_in.resources[f"{path}/blobServices/default"]["properties"]["isVersioningEnabled"],
            "ends": "version" in json.dumps(stand_in.resources[f"{path}/managementPolicies/default"]),
            "tags": found["tags"] == TAGS,
            "region": found["location"] == "westeurope",
        }

    store = AzureStore(
        settings=names,
        region="westeurope",
        tags=TAGS,
        groups=ResourceManagementClient(AnyToken(), "s", **open_as),
        accounts=StorageManagementClient(AnyToken(), "s", **open_as),
        open_container=lambda _: container,
    )
    backend = AzureBackend(names, "azure/dev/terraform.tfstate", container)
    return Place(backend, store, settings, lambda: stand_in.foreign.add(account))


@pytest.fixture(params=["local", "s3", "gcs", "azure"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    if found.store:
        found.store.ensure()
    return found


@pytest.fixture(params=["s3", "gcs", "azure"])
def remote(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def lock(operation: str = "OperationTypeApply") -> Lock:
    return Lock(id=str(uuid.uuid4()), operation=operation, who=ME, created=1795000000.25, version="1.11.4")


# --- the state ---


def test_at_first_there_is_nothing(place: Place) -> None:
    assert place.backend.read() is None
    assert place.backend.list_versions() == ()
    assert place.backend.read_lock() is None
    assert place.backend.read_note("heartbeat") is None


def test_what_is_written_is_read_and_older_versions_stay(place: Place) -> None:
    for content in (b'{"a": 1}', b'{"a": 2}', '{"ü": 3}'.encode()):
        place.backend.write(content)
    found = place.backend.read()
    assert found
    assert found.content == '{"ü": 3}'.encode()
    assert found.written > 1.7e9
    versions = place.backend.list_versions()
    assert [version.current for version in versions] == [True, False, False]
    older = [place.backend.read(version.id) for version in versions[1:]]
    assert [blob.content for blob in older if blob] == [b'{"a": 2}', b'{"a": 1}']


@pytest.mark.parametrize("name", ["nonsense", "123", "2020-01-01T00:00:00.0000000Z"])
def test_a_version_that_is_not_there_is_none(place: Place, name: str) -> None:
    place.backend.write(b"{}")
    assert place.backend.read(name) is None


# --- the lock ---


def test_a_held_lock_is_seen_keeps_others_out_and_lets_its_holder_write(place: Place) -> None:
    place.backend.write(b'{"a": 1}')
    held = lock()
    with place.backend.hold_lock(held):
        found = place.backend.read_lock()
        assert found
        assert (found.operation, found.who, found.host, found.created) == (held.operation, ME, "laptop", held.created)
        with pytest.raises(StateError, match="is locked"), place.backend.hold_lock(lock()):
            raise AssertionError("two hold one lock")
        place.backend.write(b'{"a": 2}')
        still = place.backend.read_lock()
        assert still
        assert still.id == found.id
    assert place.backend.read_lock() is None
    after = place.backend.read()
    assert after
    assert after.content == b'{"a": 2}'


def test_a_lock_may_be_held_before_there_is_a_state(place: Place) -> None:
    with place.backend.hold_lock(lock()):
        assert place.backend.read_lock()
        assert place.backend.read() is None
    assert place.backend.read() is None
    assert place.backend.list_versions() == ()


def test_a_lock_whose_answer_was_lost_is_held(remote: Place) -> None:
    """The store has taken it, and the try after that finds it taken: by the one who asks."""
    assert remote.store
    remote.store.ensure()
    held = lock()
    with contextlib.ExitStack() as lost:
        lost.enter_context(remote.backend.hold_lock(held))
        with remote.backend.hold_lock(held):
            assert remote.backend.read_lock()
        assert remote.backend.read_lock() is None


def test_what_waits_for_a_local_lock_writes_the_state_that_all_see(tmp_path: Path) -> None:
    """Terraform opens the file before it has the lock."""
    backend = LocalBackend(tmp_path / "terraform.tfstate")
    with backend.hold_lock(lock()):
        waiting = backend.path.open("r+b")
    with waiting:
        waiting.write(b'{"a": 1}')
    after = backend.read()
    assert after
    assert after.content == b'{"a": 1}'


def test_a_lock_is_let_go_when_its_holder_fails(place: Place) -> None:
    with pytest.raises(ZeroDivisionError), place.backend.hold_lock(lock()):
        raise ZeroDivisionError
    assert place.backend.read_lock() is None


def test_a_lock_is_taken_from_its_holder_and_from_no_other(remote: Place) -> None:
    assert remote.store
    remote.store.ensure()
    remote.backend.write(b"{}")
    with remote.backend.hold_lock(lock()):
        found = remote.backend.read_lock()
        assert found
        remote.backend.break_lock(Lock(id="7" if found.id.isdigit() else "another"))
        assert remote.backend.read_lock() == found
        remote.backend.break_lock(found)
        assert remote.backend.read_lock() is None
    with remote.backend.hold_lock(lock()):
        assert remote.backend.read_lock()


# --- notes ---


def test_notes_are_kept_beside_the_state_and_are_no_state(place: Place) -> None:
    place.backend.write(b"{}")
    place.backend.write_note("heartbeat", b"1")
    place.backend.write_note("heartbeat", b"2")
    assert place.backend.read_note("heartbeat") == b"2"
    place.backend.remove_note("heartbeat")
    place.backend.remove_note("heartbeat")
    assert place.backend.read_note("heartbeat") is None
    assert len(place.backend.list_versions()) == 1
    if place.store:
        assert list(place.store.list_states().values()) == [b"{}"]


# --- the store ---


def test_a_store_is_made_as_it_should_be_and_made_once(remote: Place) -> None:
    assert remote.store
    assert remote.store.ensure()
    assert [what for what, holds in remote.settings().items() if not holds] == []
    assert remote.store.ensure() == ()


def test_without_a_store_the_way_to_one_is_told(remote: Place) -> None:
    for act in (lambda: remote.backend.write(b"{}"), lambda: remote.backend.read_note("x"), remote.backend.read_lock):
        with pytest.raises(PreflightError) as caught:
            act()
        assert "mlops state bootstrap" in caught.value.hint


def test_a_store_goes_with_all_its_versions(remote: Place) -> None:
    assert remote.store
    remote.store.ensure()
    for content in (b"1", b"2"):
        remote.backend.write(content)
    remote.backend.write_note("interventions", b"[]")
    remote.store.remove()
    with pytest.raises(MlopsError):
        remote.backend.write(b"{}")


@pytest.mark.parametrize("name", ["gcs", "azure"])
def test_a_name_that_somebody_else_has_is_told(name: str, request: pytest.FixtureRequest) -> None:
    found: Place = request.getfixturevalue(name)
    found.seize()
    assert found.store
    with pytest.raises(RefusedError) as caught:
        found.store.ensure()
    assert "--store" in caught.value.hint


# --- lock texts ---


def test_a_lock_of_terraforms_own_is_read() -> None:
    text = (
        b'{"ID":"9e3f","Operation":"OperationTypeApply","Info":"","Who":"ann@laptop","Version":"1.11.4",'
        b'"Created":"2026-11-21T10:00:00.123456789Z","Path":"x"}'
    )
    found = parse_lock(text)
    assert (found.id, found.host, found.version) == ("9e3f", "laptop", "1.11.4")
    assert found.created == pytest.approx(1795255200.123456)
    assert parse_lock(found.to_text("x")) == found


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_lock_that_cannot_be_read_is_a_lock_of_somebody_unknown(text: bytes) -> None:
    assert parse_lock(text) == Lock(id="")


# --- Terraform itself on the same store ---

ROOT_TEXT = 'terraform {\n  backend "KIND" {\nSETTINGS  }\n}\nresource "terraform_data" "a" { input = 1 }\n'
ARGUMENTS = {
    "local": {},
    "s3": {"key": "aws/dev/terraform.tfstate", "encrypt": True, "use_lockfile": True},
    "gcs": {"prefix": "gcp/dev"},
}


@dataclass(frozen=True)
class Root:
    """A root of Terraform's builtin provider alone, with its state where our backend has it."""

    folder: Path
    environment: Mapping[str, str]

    def command(self, *words: str) -> dict[str, Any]:
        clean = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1", **self.environment}
        return {"args": ["terraform", *words], "cwd": self.folder, "env": clean, "text": True}

    def run(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(**self.command(*words), capture_output=True, timeout=100, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


# The azurerm backend takes no other endpoint than Azure's own: its conventions are tested by the SDK only.
@pytest.fixture(params=["local", "s3", "gcs"])
def root(request: pytest.FixtureRequest, tmp_path: Path, aws: StandIn) -> tuple[Root, StateBackend]:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    found: Place = request.getfixturevalue(request.param)
    if found.store:
        found.store.ensure()
    google = {
        "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": f"{os.environ.get('STORAGE_EMULATOR_HOST', '')}/storage/v1/",
        "GOOGLE_OAUTH_ACCESS_TOKEN": "any",
    }
    settings = {**found.backend.settings, **ARGUMENTS[request.param]}
    lines = "".join(f"    {name} = {json.dumps(value)}\n" for name, value in settings.items())
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "main.tf").write_text(ROOT_TEXT.replace("KIND", request.param).replace("SETTINGS", lines))
    made = Root(folder, {**aws.environment, **google})
    made.run("init", "-input=false", "-no-color")
    return made, found.backend


@pytest.mark.terraform
def test_terraform_and_we_see_one_state_and_one_lock(root: tuple[Root, StateBackend]) -> None:
    terraform, backend = root
    terraform.run("apply", "-auto-approve", "-no-color")
    written = backend.read()
    assert written
    assert json.loads(written.content)["resources"][0]["type"] == "terraform_data"
    assert backend.read_lock() is None
    with backend.hold_lock(lock("restore")):
        refused = terraform.run("plan", "-no-color", "-lock-timeout=0s", code=1)
        assert "Error acquiring the state lock" in refused
        assert ME in refused
        backend.write(json.dumps({**json.loads(written.content), "serial": 7}).encode())
    terraform.run("apply", "-auto-approve", "-no-color", "-replace=terraform_data.a")
    after = backend.read()
    assert after
    # A serial counts writes, and one apply may write more than once.
    assert json.loads(after.content)["serial"] > 7
    assert json.loads(after.content)["lineage"] == json.loads(written.content)["lineage"]


@pytest.mark.terraform
def test_we_see_the_lock_that_terraform_holds_and_can_take_it(root: tuple[Root, StateBackend]) -> None:
    terraform, backend = root
    terraform.run("apply", "-auto-approve", "-no-color")
    asks = terraform.command("apply", "-replace=terraform_data.a", "-no-color")
    with subprocess.Popen(**asks, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waiting:
        assert waiting.stdout
        # The question has no newline at its end.
        said = ""
        while not said.endswith("Enter a value:"):
            letter = waiting.stdout.read(1)
            assert letter, said
            said += letter
        held = backend.read_lock()
        assert held
        assert held.operation
        assert held.host == socket.gethostname()
        with pytest.raises(StateError, match="is locked"), backend.hold_lock(lock()):
            raise AssertionError("two hold one lock")
        waiting.kill()
    backend.break_lock(held)
    assert backend.read_lock() is None
    terraform.run("plan", "-no-color", "-lock-timeout=0s")

"""Terraform's state in an Azure storage account: a blob with its versions; Terraform's lock is a lease on it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from platform_cli.clouds.azure.state_account import (
    CONTAINER,
    KIND,
    AzureStore,
    blob_endpoint,
    explained,
    find_subscription,
    open_credential,
)
from platform_cli.clouds.terraform.backend import Blob, Lock, Settings, StateBackend, StateStore, Version, parse_lock
from platform_cli.errors import StateError

_LOCK = "terraformlockid"
_FOR_EVER = -1
_CONFLICT = 409
_BAD_REQUEST = 400


class AzureBackend:
    """One state in a container. The lock's text is in the blob's metadata, its id is the lease's."""

    def __init__(self, settings: Settings, key: str, container: Any) -> None:
        self._settings, self._key, self._container = settings, key, container
        self._lease = ""

    @property
    def kind(self) -> str:
        """See `StateBackend.kind`."""
        return KIND

    @property
    def place(self) -> str:
        """See `StateBackend.place`."""
        return f"{self._container.url}/{self._key}"

    @property
    def settings(self) -> Settings:
        """See `StateBackend.settings`."""
        return self._settings

    def read(self, version: str = "") -> Blob | None:
        """See `StateBackend.read`."""
        found = self._read(self._key, version)
        return found if found and found.content else None

    def write(self, content: bytes) -> None:
        """See `StateBackend.write`."""
        properties = self._find(self._key)
        metadata = dict(properties.metadata or {}) if properties else {}
        self._put(self._key, content, metadata=metadata, **({"lease": self._lease} if self._lease else {}))

    def list_versions(self) -> tuple[Version, ...]:
        """See `StateBackend.list_versions`. A lease makes versions, too: those that are empty are left out."""
        with explained(self.place):
            listed = list(self._container.list_blobs(name_starts_with=self._key, include=["versions"]))
        found = [blob for blob in listed if blob.name == self._key and blob.size]
        return tuple(
            Version(blob.version_id or "", blob.last_modified.timestamp(), current=bool(blob.is_current_version))
            for blob in sorted(found, key=lambda blob: str(blob.version_id), reverse=True)
        )

    def read_lock(self) -> Lock | None:
        """See `StateBackend.read_lock`."""
        properties = self._find(self._key)
        if properties is None or properties.lease.state != "leased":
            return None
        text = (properties.metadata or {}).get(_LOCK, "")
        return parse_lock(base64.b64decode(text)) if text else Lock(id="")

    @contextlib.contextmanager
    def hold_lock(self, lock: Lock) -> Iterator[None]:
        """See `StateBackend.hold_lock`."""
        from azure.core.exceptions import HttpResponseError

        held, blob = replace(lock, id=lock.id or str(uuid.uuid4())), self._container.get_blob_client(self._key)
        with explained(self.place):
            if self._find(self._key) is None:
                self._put(self._key, b"")
            try:
                blob.acquire_lease(lease_duration=_FOR_EVER, lease_id=held.id)
            except HttpResponseError as error:
                if error.status_code == _CONFLICT:
                    raise StateError(f"{self.place} is locked", hint="mlops state lock tells by whom") from error
                raise
            text = base64.b64encode(held.to_text(self._key)).decode()
            blob.set_blob_metadata({_LOCK: text}, lease=held.id)
        self._lease = held.id
        try:
            yield
        finally:
            self._lease = ""
            self.break_lock(held)

    def break_lock(self, lock: Lock) -> None:
        """See `StateBackend.break_lock`."""
        from azure.storage.blob import BlobLeaseClient

        found = self.read_lock()
        if found is None or found.id != lock.id:
            return
        blob = self._container.get_blob_client(self._key)
        with explained(self.place):
            if not lock.id:
                BlobLeaseClient(blob).break_lease(lease_break_period=0)
                return
            blob.set_blob_metadata({}, lease=lock.id)
            BlobLeaseClient(blob, lock.id).release()

    def read_note(self, name: str) -> bytes | None:
        """See `StateBackend.read_note`."""
        found = self._read(self._note_key(name))
        return found.content if found else None

    def write_note(self, name: str, content: bytes) -> None:
        """See `StateBackend.write_note`."""
        self._put(self._note_key(name), content)

    def remove_note(self, name: str) -> None:
        """See `StateBackend.remove_note`."""
        from azure.core.exceptions import ResourceNotFoundError

        with explained(self.place), contextlib.suppress(ResourceNotFoundError):
            self._container.get_blob_client(self._note_key(name)).delete_blob()

    def _note_key(self, name: str) -> str:
        return f"mlops/{name}/{self._key}.json"

    def _find(self, key: str) -> Any:
        """A blob's properties; None when there is no such blob."""
        from azure.core.exceptions import ResourceNotFoundError

        with explained(self.place):
            try:
                return self._container.get_blob_client(key).get_blob_properties()
            except ResourceNotFoundError as error:
                if error.error_code == "ContainerNotFound":
                    raise
                return None

    def _read(self, key: str, version: str = "") -> Blob | None:
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        which = {"version_id": version} if version else {}
        with explained(self.place):
            try:
                found = self._container.get_blob_client(key, **which).download_blob()
            except ResourceNotFoundError as error:
                if error.error_code == "ContainerNotFound":
                    raise
                return None
            except HttpResponseError as error:
                if version and error.status_code == _BAD_REQUEST:
                    return None
                raise
            return Blob(found.readall(), version, found.properties.last_modified.timestamp())

    def _put(self, key: str, content: bytes, **how: Any) -> None:
        from azure.storage.blob import ContentSettings

        kind = ContentSettings(content_type="application/json")
        with explained(self.place):
            self._container.get_blob_client(key).upload_blob(content, overwrite=True, content_settings=kind, **how)


class AzureService:
    """States in an Azure storage account; `account` and `group` are those that platform.yaml names, None for none."""

    def __init__(
        self,
        *,
        subscription: str | None,
        account: str | None,
        group: str | None,
        region: str,
        prefix: str,
        tags: Settings,
    ) -> None:
        self._subscription, self._account, self._group = subscription, account, group
        self._region, self._prefix, self._tags = region, prefix, tags

    @property
    def kind(self) -> str:
        """See `StateService.kind`."""
        return KIND

    @property
    def hint(self) -> str:
        """See `StateService.hint`."""
        return "azure: {{state_account: {storage_account_name}, state_group: {resource_group_name}}}"

    def configured(self, region: str) -> Settings | None:  # noqa: ARG002 - an account's name is enough
        """See `StateService.configured`."""
        return self._name(self._account) if self._account else None

    def name_store(self, name: str, region: str) -> Settings:
        """See `StateService.name_store`. Names are taken by anybody in the world: ours have the subscription's hash."""
        if not name:
            digest = hashlib.sha256(f"{self._find_subscription()}/{self._region or region}".encode()).hexdigest()
            letters = "".join(letter for letter in self._prefix if letter.isalnum())
            name = f"{letters[:7]}tfstate{digest[:10]}"
        return self._name(name)

    def open_store(self, settings: Settings, region: str) -> StateStore:
        """See `StateService.open_store`."""
        from azure.mgmt.resource.resources import ResourceManagementClient
        from azure.mgmt.storage import StorageManagementClient

        credential, subscription = open_credential(), self._find_subscription()
        return AzureStore(
            settings=settings,
            region=self._region or region,
            tags=self._tags,
            groups=ResourceManagementClient(credential, subscription),
            accounts=StorageManagementClient(credential, subscription),
            open_container=self._open_container,
        )

    def open_backend(self, settings: Settings, arguments: Settings) -> StateBackend:
        """See `StateService.open_backend`."""
        return AzureBackend(settings, arguments["key"], self._open_container(settings))

    def _open_container(self, settings: Settings) -> Any:
        from azure.storage.blob import ContainerClient

        url = blob_endpoint(settings["storage_account_name"])
        return ContainerClient(url, settings["container_name"], credential=open_credential())

    def _name(self, account: str) -> Settings:
        group = self._group or account
        return {"storage_account_name": account, "container_name": CONTAINER, "resource_group_name": group}

    def _find_subscription(self) -> str:
        return self._subscription or find_subscription()

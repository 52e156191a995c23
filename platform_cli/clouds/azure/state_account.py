"""The storage account that states lie in, in a resource group of its own: made, mended, listed and removed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_cli.clouds.terraform.backend import Settings
from platform_cli.errors import PreflightError, RefusedError, ToolError

KIND = "azurerm"
CONTAINER = "tfstate"
_OLD_DAYS = 90
_DELETED_DAYS = 30
_FORBIDDEN = 403
_LOGIN = "az login, or set the variables of a service principal"
_ROLE = (
    "your account needs the role Storage Blob Data Contributor: az role assignment create "
    "--role 'Storage Blob Data Contributor' --assignee YOU --scope ACCOUNT_ID; it takes minutes to hold"
)
# Terraform's own variable for the clouds of governments and China.
_SUFFIXES = {"usgovernment": "core.usgovcloudapi.net", "china": "core.chinacloudapi.cn"}
_SUFFIX = "core.windows.net"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureStore:
    """A storage account with one container. `groups` and `accounts` are the management SDKs' clients."""

    settings: Settings
    region: str
    tags: Settings
    groups: Any = field(repr=False)
    accounts: Any = field(repr=False)
    open_container: Callable[[Settings], Any] = field(repr=False)

    @property
    def kind(self) -> str:
        """See `StateStore.kind`."""
        return KIND

    @property
    def place(self) -> str:
        """See `StateStore.place`."""
        return f"{blob_endpoint(self._account)}/{self.settings['container_name']}"

    def ensure(self) -> tuple[str, ...]:
        """See `StateStore.ensure`."""
        with explained(self.place):
            return (*self._ensure_account(), *self._ensure_versions(), *self._ensure_ends(), *self._ensure_container())

    def list_states(self) -> Mapping[str, bytes]:
        """See `StateStore.list_states`."""
        container = self.open_container(self.settings)
        with explained(self.place):
            names = [blob.name for blob in container.list_blobs() if blob.name.endswith(".tfstate")]
            return {name: container.get_blob_client(name).download_blob().readall() for name in names}

    def remove(self) -> None:
        """See `StateStore.remove`. The resource group goes too when nothing else is in it."""
        with explained(self.place):
            self.accounts.storage_accounts.delete(self._group, self._account)
            if not list(self.groups.resources.list_by_resource_group(self._group)):
                self.groups.resource_groups.begin_delete(self._group).result()

    def _ensure_account(self) -> Iterator[str]:
        """The account, private and TLS only. Data is reached with identities, never with the account's keys."""
        wanted = {
            "allow_blob_public_access": False,
            "allow_shared_key_access": False,
            "enable_https_traffic_only": True,
            "minimum_tls_version": "TLS1_2",
        }
        found = self._find_account()
        if found is None:
            self._create(wanted)
            yield f"storage account {self._account} in {self.region}, encrypted, TLS 1.2 only, public access blocked"
            return
        from azure.mgmt.storage.models import StorageAccountUpdateParameters

        gaps = {name: value for name, value in wanted.items() if getattr(found, name) != value}
        if dict(found.tags or {}) != dict(self.tags):
            gaps["tags"] = dict(self.tags)
        if gaps:
            wish = StorageAccountUpdateParameters(**gaps)
            self.accounts.storage_accounts.update(self._group, self._account, wish)
            yield f"mended: {', '.join(gaps)}"

    def _find_account(self) -> Any:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self.accounts.storage_accounts.get_properties(self._group, self._account)
        except ResourceNotFoundError:
            return None

    def _create(self, wanted: Mapping[str, Any]) -> None:
        from azure.mgmt.resource.resources.models import ResourceGroup
        from azure.mgmt.storage.models import (
            Sku,
            StorageAccountCheckNameAvailabilityParameters,
            StorageAccountCreateParameters,
        )

        name = StorageAccountCheckNameAvailabilityParameters(name=self._account)
        free = self.accounts.storage_accounts.check_name_availability(name)
        if not free.name_available:
            raise RefusedError(f"{self._account}: {free.message}", hint="choose another name with --store")
        where = {"location": self.region, "tags": dict(self.tags)}
        self.groups.resource_groups.create_or_update(self._group, ResourceGroup(**where))
        wish = StorageAccountCreateParameters(kind="StorageV2", sku=Sku(name="Standard_ZRS"), **where, **wanted)
        self.accounts.storage_accounts.begin_create(self._group, self._account, wish).result()

    def _ensure_versions(self) -> Iterator[str]:
        from azure.mgmt.storage.models import BlobServiceProperties, DeleteRetentionPolicy

        found = self.accounts.blob_services.get_service_properties(self._group, self._account)
        if not found.is_versioning_enabled:
            keep = DeleteRetentionPolicy(enabled=True, days=_DELETED_DAYS)
            wish = BlobServiceProperties(is_versioning_enabled=True, delete_retention_policy=keep)
            self.accounts.blob_services.set_service_properties(self._group, self._account, wish)
            yield "versions kept"

    def _ensure_ends(self) -> Iterator[str]:
        from azure.core.exceptions import ResourceNotFoundError

        policies = self.accounts.management_policies
        try:
            policies.get(self._group, self._account, "default")
        except ResourceNotFoundError:
            policies.create_or_update(self._group, self._account, "default", _policy())
            yield "old versions end"

    def _ensure_container(self) -> Iterator[str]:
        from azure.core.exceptions import ResourceNotFoundError
        from azure.mgmt.storage.models import BlobContainer

        containers, name = self.accounts.blob_containers, self.settings["container_name"]
        try:
            containers.get(self._group, self._account, name)
        except ResourceNotFoundError:
            containers.create(self._group, self._account, name, BlobContainer(public_access="None"))
            yield f"container {name}"

    @property
    def _account(self) -> str:
        return self.settings["storage_account_name"]

    @property
    def _group(self) -> str:
        return self.settings["resource_group_name"]


def blob_endpoint(account: str) -> str:
    """The account's address for data."""
    return f"https://{account}.blob.{_SUFFIXES.get(os.environ.get('ARM_ENVIRONMENT', ''), _SUFFIX)}"


def find_subscription() -> str:
    """The subscription of the variables that Terraform and Azure's tools read, or the one that az is logged in to.

    Raises:
        PreflightError: none is known.
    """
    for name in ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"):
        if os.environ.get(name):
            return os.environ[name]
    profile = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure") / "azureProfile.json"
    found = json.loads(profile.read_text("utf-8-sig")) if profile.is_file() else {}
    ids = [str(item["id"]) for item in found.get("subscriptions", []) if item.get("isDefault")]
    if not ids:
        raise PreflightError("no Azure subscription is known", hint="set azure.subscription, or az login")
    return ids[0]


def open_credential() -> Any:
    """Whatever Azure's own chain finds.

    Raises:
        PreflightError: the SDK is not installed.
    """
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        raise PreflightError("azure-identity is not installed", hint="pip install 'mlops[azure]'") from error
    return DefaultAzureCredential()


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Tell Azure's errors as ours.

    Raises:
        PreflightError: there is no such account or container, or the credentials or the role are missing.
        ToolError: Azure refused or could not be reached.
    """
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
        ResourceNotFoundError,
    )

    try:
        yield
    except ResourceNotFoundError as error:
        raise PreflightError(f"{place}: there is none", hint="mlops state bootstrap makes it") from error
    except ClientAuthenticationError as error:
        raise PreflightError(f"{place}: {error.message}", hint=_LOGIN) from error
    except HttpResponseError as error:
        if error.status_code == _FORBIDDEN:
            raise PreflightError(f"{place}: {error.message}", hint=_ROLE) from error
        raise ToolError(f"{place}: Azure says {error.message}", hint="mlops doctor checks the credentials") from error
    except AzureError as error:
        raise ToolError(f"{place}: {error.message}", hint="mlops doctor checks the credentials") from error


def _policy() -> Any:
    from azure.mgmt.storage import models

    old = models.ManagementPolicyVersion(delete=models.DateAfterCreation(days_after_creation_greater_than=_OLD_DAYS))
    definition = models.ManagementPolicyDefinition(
        actions=models.ManagementPolicyAction(version=old),
        filters=models.ManagementPolicyFilter(blob_types=["blockBlob"]),
    )
    rule = models.ManagementPolicyRule(enabled=True, name="old-versions", type="Lifecycle", definition=definition)
    return models.ManagementPolicy(policy=models.ManagementPolicySchema(rules=[rule]))

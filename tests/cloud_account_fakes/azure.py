"""The calls of Azure's management API that a preflight makes, as its REST reference describes them.

https://learn.microsoft.com/rest/api/ (compute/resource-skus, compute/usage, authorization/permissions,
aks/managed-clusters, storage/storage-accounts/check-name-availability and their like)
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from werkzeug.wrappers import Request

from cloud_account_fakes.server import JsonApi, RefusalError

SUBSCRIPTION, REGION = "00000000-0000-0000-0000-00000000000a", "westeurope"


def encoded(claims: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


TOKEN = f"{encoded({'alg': 'none'})}.{encoded({'upn': 'tester@example.org'})}.signature"


@dataclass
class StaticCredential:
    """A token that never ends, or none at all."""

    token: str | None = TOKEN

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        if self.token is None:
            raise ClientAuthenticationError("no credential works")
        return AccessToken(self.token, int(time.time()) + 3600)


def error(status: int, code: str, message: str) -> RefusalError:
    return RefusalError(status, {"error": {"code": code, "message": message}})


@dataclass
class AzureApi:
    """One subscription. `forbids` refuses to tell of permissions."""

    roles: list[dict[str, Any]] = field(default_factory=lambda: [{"actions": ["*"], "notActions": []}])
    forbids: bool = False
    skus: list[dict[str, Any]] = field(default_factory=list)
    usages: dict[str, tuple[int, int]] = field(default_factory=lambda: {"cores": (100, 4)})
    networks: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    clusters: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    servers: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> JsonApi:
        p = f"/subscriptions/{SUBSCRIPTION}/providers"
        routes = {
            f"GET /subscriptions/{SUBSCRIPTION}": lambda _: {"subscriptionId": SUBSCRIPTION, "state": "Enabled"},
            f"GET {p}/Microsoft.Authorization/permissions": self.permissions,
            f"GET {p}/Microsoft.Compute/skus": self.list_skus,
            f"GET {p}/Microsoft.Compute/locations/{REGION}/usages": lambda _: {"value": self.list_usages()},
            f"GET {p}/Microsoft.Network/locations/{REGION}/usages": lambda _: {"value": []},
            f"GET {p}/Microsoft.ContainerService/locations/{REGION}/kubernetesVersions": lambda _: {
                "values": [{"version": "1.35"}, {"version": "1.34"}, {"version": "1.36", "isPreview": True}]
            },
            f"GET {p}/Microsoft.Network/virtualNetworks": lambda _: {"value": self.list_networks()},
            f"POST {p}/Microsoft[.]\\w+/checkNameAvailability": self.check_name,
            f"GET {p}/Microsoft.ContainerService/managedClusters": lambda _: {"value": self.clusters},
            f"GET {p}/Microsoft.Storage/storageAccounts": lambda _: {"value": self.accounts},
            f"GET {p}/Microsoft.DBforPostgreSQL/flexibleServers": lambda _: {"value": self.servers},
        }
        absent = {"error": {"code": "ResourceNotFound", "message": "not found"}}
        return JsonApi(routes, self.authorize, absent)

    def authorize(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if "api-version" not in request.args:
            raise error(400, "MissingApiVersionParameter", "The api-version query parameter is required.")

    def permissions(self, _request: Request) -> Any:
        if self.forbids:
            raise error(403, "AuthorizationFailed", "does not have authorization to perform action")
        return {"value": self.roles}

    def list_skus(self, request: Request) -> Any:
        """In pages, as Azure gives long lists."""
        assert request.args["$filter"] == f"location eq '{REGION}'"
        if "page" in request.args:
            return {"value": self.skus[1:]}
        link = f"{request.base_url}?api-version=2021-07-01&$filter={request.args['$filter']}&page=2"
        return {"value": self.skus[:1], "nextLink": link}

    def list_usages(self) -> list[dict[str, Any]]:
        return [
            {"name": {"value": key}, "limit": limit, "currentValue": used} for key, (limit, used) in self.usages.items()
        ]

    def list_networks(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "properties": {"addressSpace": {"addressPrefixes": [cidr, "fd00::/48"]}}}
            for name, cidr in self.networks.items()
        ]

    def check_name(self, request: Request) -> Any:
        wanted = request.get_json()
        assert wanted["type"].startswith("Microsoft.")
        if wanted["name"] in self.taken:
            return {"nameAvailable": False, "reason": "AlreadyExists", "message": "taken"}
        return {"nameAvailable": True}


def sku(name: str, family: str, vcpus: int, *, zones: tuple[str, ...] = ("1", "2", "3"), **more: Any) -> dict[str, Any]:
    """A virtual machine's entry in the list of SKUs."""
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": family,
        "locationInfo": [{"location": REGION, "zones": list(zones)}],
        "capabilities": [{"name": "vCPUs", "value": str(vcpus)}, {"name": "GPUs", "value": str(more.get("gpus", 0))}],
        "restrictions": more.get("restrictions", []),
    }

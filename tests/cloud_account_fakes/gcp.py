"""The calls of Google Cloud's REST APIs that a preflight makes, as their reference describes them.

https://cloud.google.com/compute/docs/reference/rest/v1, …/kubernetes-engine/docs/reference/rest,
…/resource-manager/reference/rest/v1, …/storage/docs/json_api/v1, …/sql/docs/mysql/admin-api/rest
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.auth.credentials import Credentials
from werkzeug.wrappers import Request

from cloud_account_fakes.server import JsonApi, RefusalError

PROJECT, REGION, TOKEN = "mlops-test", "europe-west4", "token-of-a-test"
ZONES = ("a", "b", "c")


class StaticCredentials(Credentials):  # type: ignore[no-untyped-call, misc]
    """A token that never ends."""

    service_account_email = "tester@mlops-test.iam.gserviceaccount.com"

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token

    def refresh(self, request: object) -> None:
        pass


def error(status: int, message: str) -> RefusalError:
    return RefusalError(status, {"error": {"code": status, "message": message, "status": "X"}})


@dataclass
class GcpApi:
    """One project. `token` is the one it accepts; `forbids` refuses to tell of permissions."""

    token: str = TOKEN
    denied: set[str] = field(default_factory=set)
    forbids: bool = False
    quotas: dict[str, tuple[float, float]] = field(default_factory=lambda: {"CPUS": (24, 4)})
    everywhere: dict[str, tuple[float, float]] = field(default_factory=lambda: {"NETWORKS": (5, 1)})
    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    cluster: dict[str, Any] | None = None
    instances: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> JsonApi:
        p = f"/compute/v1/projects/{PROJECT}"
        routes = {
            f"GET /v1/projects/{PROJECT}": lambda _: {"projectId": PROJECT, "projectNumber": "42"},
            f"POST /v1/projects/{PROJECT}:testIamPermissions": self.test_permissions,
            f"GET {p}": lambda _: {"quotas": listed(self.everywhere)},
            f"GET {p}/regions/{REGION}": self.region,
            f"GET {p}/zones/([a-z0-9-]+)/machineTypes": self.machine_types,
            f"GET {p}/aggregated/subnetworks": self.subnetworks,
            f"GET /v1/projects/{PROJECT}/locations/{REGION}/serverConfig": lambda _: {
                "validMasterVersions": ["1.36.0-gke.100", "1.35.2-gke.300", "1.35.1-gke.100", "1.34.9-gke.1"]
            },
            f"GET /v1/projects/{PROJECT}/locations/{REGION}/clusters/([a-z0-9-]+)": self.find_cluster,
            f"GET /v1/projects/{PROJECT}/instances": lambda _: {"items": self.instances},
            "GET /storage/v1/b/([a-z0-9-]+)": self.bucket,
        }
        return JsonApi(routes, self.authorize, {"error": {"code": 404, "message": "Not Found"}})

    def authorize(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise error(401, "Request had invalid authentication credentials.")

    def test_permissions(self, request: Request) -> Any:
        wanted = request.get_json()["permissions"]
        if self.forbids:
            raise error(403, "The caller does not have permission")
        if len(wanted) > 100:
            raise error(400, "At most 100 permissions can be tested at once.")
        return {"permissions": [action for action in wanted if action not in self.denied]}

    def region(self, _request: Request) -> Any:
        prefix = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{REGION}"
        return {"quotas": listed(self.quotas), "zones": [f"{prefix}-{letter}" for letter in ZONES]}

    def machine_types(self, request: Request, _zone: str) -> Any:
        wanted = request.args["filter"]
        found = [item for name, item in self.machines.items() if f'(name = "{name}")' in wanted]
        first, rest = found[:1], found[1:]  # in pages, as Google gives long lists
        if "pageToken" in request.args:
            return {"items": rest}
        return {"items": first, **({"nextPageToken": "more"} if rest else {})}

    def subnetworks(self, _request: Request) -> Any:
        found = [{"name": name, "ipCidrRange": cidr} for name, cidr in self.networks.items()]
        return {"items": {f"regions/{REGION}": {"subnetworks": found}, "regions/us-east1": {"warning": {}}}}

    def find_cluster(self, _request: Request, name: str) -> Any:
        if self.cluster is None or self.cluster["name"] != name:
            raise error(404, f"Not found: {name}")
        return self.cluster

    def bucket(self, _request: Request, name: str) -> Any:
        if name in self.taken:
            raise error(403, "does not have storage.buckets.get access")
        if name not in self.ours:
            raise error(404, "The specified bucket does not exist.")
        return {"name": name}


def listed(quotas: dict[str, tuple[float, float]]) -> list[dict[str, Any]]:
    return [{"metric": key, "limit": limit, "usage": used} for key, (limit, used) in quotas.items()]

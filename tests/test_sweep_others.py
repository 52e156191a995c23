"""The search for what a deployment left on Azure and Google Cloud, through their SDKs, on fakes that answer lists."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from platform_cli.clouds.azure.sweep import sweep as sweep_azure
from platform_cli.clouds.gcp.account import Rest
from platform_cli.clouds.gcp.sweep import sweep as sweep_gcp
from platform_cli.clouds.terraform import Deployment, Swept

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
OURS = Deployment(id="d-1", region="westeurope", prefix="mlops-core-dev", cluster="mlops-core-dev", scope=SUBSCRIPTION)
GOOGLE = Deployment(id="d-1", region="europe-west4", prefix="mlops-core-dev", cluster="mlops-core-dev", scope="proj")
PAGE = 2


@dataclass
class FakeLists:
    """A cloud that lists: items by path, two to a page, and refusals by path.

    Attributes:
        items: what stands at a path; a path that nothing stands at is an empty list.
        refused: status and message by a part of the path.
        key: where Google or Azure put the items, by path; Azure's is always `value`.
    """

    items: dict[str, list[Any]] = field(default_factory=dict)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    google: bool = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        self.asked.append(request.path)
        found = next((answer for part, answer in self.refused.items() if part in request.path), None)
        if found:
            status, message = found
            body: dict[str, Any] = {"error": {"code": "AuthorizationFailed", "message": message}}
        else:
            status, body = 200, self.google_page(request) if self.google else self.azure_page(request)
        answer = Response(json.dumps(body), status=status, content_type="application/json")
        return answer(environ, start_response)

    def azure_page(self, request: Request) -> dict[str, Any]:
        start, here = int(request.args.get("skip", 0)), self.items.get(request.path, [])
        assert start or "api-version" in request.args
        wanted = request.args.get("$filter", "")
        here = [item for item in here if not wanted or f"'{item.get('tags', {}).get('deployment-id')}'" in wanted]
        more = {"nextLink": f"{request.base_url}?skip={start + PAGE}"} if start + PAGE < len(here) else {}
        return {"value": here[start : start + PAGE], **more}

    def google_page(self, request: Request) -> dict[str, Any]:
        start, here = int(request.args.get("pageToken", 0)), self.items.get(request.path, [])
        if isinstance(here, dict):
            return here
        more = {"nextPageToken": str(start + PAGE)} if start + PAGE < len(here) else {}
        key = next((name for part, name in KEYS.items() if request.path.endswith(part)), "items")
        page = here[start : start + PAGE]
        return {key: dict(page) if "/aggregated/" in request.path else page, **more}


KEYS = {"/clusters": "clusters", "/serviceAccounts": "accounts"}


@contextmanager
def serving(fake: FakeLists) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, fake, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- Azure ---


class NoToken:
    """Credentials for a fake without TLS, to which the SDK would give no token."""

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        raise AssertionError("no token is asked for")


def search_azure(fake: FakeLists, deployment: Deployment = OURS) -> Swept:
    from azure.core.pipeline.policies import SansIOHTTPPolicy
    from azure.mgmt.resource.resources import ResourceManagementClient

    with serving(fake) as url:

        def open_client(subscription: str) -> Any:
            return ResourceManagementClient(
                NoToken(), subscription, base_url=url, authentication_policy=SansIOHTTPPolicy(), retry_total=0
            )

        return sweep_azure(deployment, None, open_client=open_client, patience_s=0.0)


def azure(path: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/{path}"


def resource(path: str, **tags: str) -> dict[str, Any]:
    return {"id": azure(path), "name": path.rpartition("/")[2], "tags": tags}


NODES = "resourceGroups/MC_mlops-core-dev_mlops-core-dev_westeurope"
DISK = f"{NODES}/providers/Microsoft.Compute/disks/pvc-1"
FOREIGN_DISK = "resourceGroups/theirs/providers/Microsoft.Compute/disks/pvc-2"


def test_azure_without_anything_of_ours_is_clean() -> None:
    fake = FakeLists(items={azure("resourcegroups"): [resource("resourceGroups/theirs", **{"deployment-id": "d-2"})]})
    found = search_azure(fake)
    assert (found.leftovers, found.unchecked, found.kept) == ((), (), ())
    assert "resource groups" in found.checked[0]


def test_azure_is_searched_by_tags_node_group_and_scope() -> None:
    vault = {"name": "kv-1", "properties": {"tags": {"deployment-id": "d-1"}, "scheduledPurgeDate": "2027-02-19T08"}}
    binding = {"id": "/binding/1", "properties": {"scope": azure("resourceGroups/mlops-core-dev")}}
    foreign = {"id": "/binding/2", "properties": {"scope": azure("resourceGroups/mlops-core-development")}}
    items = {
        azure("resourcegroups"): [
            resource("resourceGroups/theirs"),
            resource("resourceGroups/also-theirs"),
            resource("resourceGroups/mlops-core-dev", **{"deployment-id": "d-1"}),
            resource(NODES),
        ],
        azure("resources"): [
            resource("resourceGroups/x/providers/Microsoft.Network/virtualNetworks/v", **{"deployment-id": "d-1"}),
            resource("resourceGroups/x/providers/Microsoft.Network/virtualNetworks/w", **{"deployment-id": "d-2"}),
        ],
        azure("providers/Microsoft.Compute/disks"): [resource(DISK), resource(FOREIGN_DISK)],
        azure("providers/Microsoft.Network/publicIPAddresses"): [
            resource("resourceGroups/x/providers/Microsoft.Network/ip/one", **{"k8s-azure-cluster-name": OURS.cluster})
        ],
        azure("providers/Microsoft.Authorization/roleAssignments"): [foreign, binding],
        azure("providers/Microsoft.KeyVault/deletedVaults"): [vault],
    }
    found = search_azure(FakeLists(items=items))
    assert found.leftovers == (
        f"resource groups: {azure(NODES)}",
        f"resource groups: {azure('resourceGroups/mlops-core-dev')}",
        "resources with the tag deployment-id=d-1: "
        + azure("resourceGroups/x/providers/Microsoft.Network/virtualNetworks/v"),
        f"disks of the cluster: {azure(DISK)}",
        "public addresses of the cluster: " + azure("resourceGroups/x/providers/Microsoft.Network/ip/one"),
        "role bindings: /binding/1",
    )
    assert found.kept == ("kv-1: Azure purges it on 2027-02-19",)


def test_what_azure_refuses_is_told_and_the_rest_is_asked() -> None:
    refused = {
        "Microsoft.Compute/disks": (403, "no right to disks"),
        "roleAssignments": (429, "too many requests"),
        "deletedVaults": (403, "no right to vaults"),
    }
    fake = FakeLists(items={azure("resourcegroups"): [resource(NODES)]}, refused=refused)
    found = search_azure(fake)
    assert found.leftovers == (f"resource groups: {azure(NODES)}",)
    told = {line.split(": ", 1)[0]: line for line in found.unchecked}
    assert set(told) == {"disks of the cluster", "role bindings", "soft-deleted vaults"}
    assert "no right to disks" in told["disks of the cluster"]
    assert "too many requests" in told["role bindings"]


def test_what_was_kept_on_azure_is_no_leftover() -> None:
    store = "resourceGroups/mlops-core-dev/providers/Microsoft.Storage/storageAccounts/mlops1"
    items = {azure("resources"): [resource(store, **{"deployment-id": "d-1"})]}
    kept = Deployment(id="d-1", region="", prefix="mlops-core-dev", scope=SUBSCRIPTION, kept=frozenset({azure(store)}))
    assert search_azure(FakeLists(items=items), kept).leftovers == ()


def test_azure_without_a_subscription_is_not_taken_for_clean() -> None:
    (told,) = sweep_azure(Deployment(id="d-1", region=""), None).unchecked
    assert told == "Azure: no subscription is known"


# --- Google Cloud ---


def search_google(fake: FakeLists) -> Swept:
    from google.auth.credentials import AnonymousCredentials

    fake.google = True
    with serving(fake) as url:
        rest = Rest(project="proj", credentials=AnonymousCredentials(), endpoint=url)
        return sweep_gcp(GOOGLE, None, rest=rest, patience_s=0.0)


def labelled(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "labels": labels, "selfLink": f"https://x/projects/proj/zones/europe-west4-a/disks/{name}"}


def test_google_without_anything_of_ours_is_clean() -> None:
    theirs = labelled("pvc-9", **{"deployment-id": "d-2"})
    found = search_google(
        FakeLists(items={"/compute/v1/projects/proj/aggregated/disks": [("zones/a", {"disks": [theirs]})]})
    )
    assert (found.leftovers, found.unchecked) == ((), ())
    assert "disks" in found.checked[0]


def test_google_is_searched_by_labels_networks_and_names() -> None:
    compute = "/compute/v1/projects/proj"
    disk = labelled("pvc-1", **{"goog-k8s-cluster-name": GOOGLE.cluster})
    empty = [(f"zones/{zone}", {"warning": {"code": "NO_RESULTS_ON_PAGE"}}) for zone in "abc"]
    rule = {"name": "k8s-fw-1", "network": "https://x/projects/proj/global/networks/mlops-core-dev"}
    node_rule = {"name": "gke-mlops-core-dev-1a2b-all", "network": "https://x/projects/proj/global/networks/shared"}
    other_rule = {"name": "gke-other-1", "network": "https://x/projects/proj/global/networks/shared"}
    ours, theirs = "mlops-core-dev-mlflow@proj.iam.x", "mlops-core-devel@proj.iam.x"
    bindings = [{"role": "roles/x", "members": [f"deleted:serviceAccount:{ours}?uid=1", f"serviceAccount:{theirs}"]}]
    items: dict[str, Any] = {
        f"{compute}/aggregated/disks": [*empty, ("zones/europe-west4-a", {"disks": [disk]})],
        f"{compute}/global/firewalls": [other_rule, node_rule, rule],
        "/v1/projects/proj/locations/-/clusters": [{"name": "other"}, {"name": GOOGLE.cluster}],
        "/v1/projects/proj/instances": [{"name": "db", "settings": {"userLabels": {"deployment-id": "d-1"}}}],
        "/storage/v1/b": [labelled("b-1", **{"deployment-id": "d-1"}), labelled("b-2")],
        "/v1/projects/proj/serviceAccounts": [{"email": theirs}, {"email": "x@y"}, {"email": ours}],
        "/v1/projects/proj:getIamPolicy": {"bindings": bindings},
    }
    found = search_google(FakeLists(items=items))
    assert found.leftovers == (
        "disks: europe-west4-a/disks/pvc-1",
        "firewall rules: gke-mlops-core-dev-1a2b-all",
        "firewall rules: k8s-fw-1",
        "clusters: mlops-core-dev",
        "databases: db",
        "buckets: b-1",
        f"service accounts: {ours}",
        f"role bindings: roles/x of deleted:serviceAccount:{ours}?uid=1",
    )


@pytest.mark.parametrize("status", [403, 429, 503])
def test_what_google_refuses_is_told_and_the_rest_is_asked(status: int) -> None:
    fake = FakeLists(refused={"aggregated/disks": (status, "not now"), "serviceAccounts": (status, "not now")})
    found = search_google(fake)
    assert [line.split(": ", 1)[0] for line in found.unchecked] == ["disks", "service accounts"]
    assert "not now" in found.unchecked[0]
    assert "disks" not in found.checked[0].replace("disk snapshots", "").removeprefix("no ").split(", ")


def test_google_without_credentials_is_not_taken_for_clean(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path_factory.mktemp("none") / "absent.json"))
    (told,) = sweep_gcp(GOOGLE, None).unchecked
    assert told.startswith("Google Cloud: ")

"""The API's answers in bad moments: what is tried again, what is told, and in which words."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from closed_port import hold_closed_port
from kubernetes_stand_in import KubernetesStandIn, Reply, make_access, refusal

from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError
from platform_cli.tools.kubernetes import Kind, Kubernetes, status_of
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, POD

MAPS = "/api/v1/namespaces/default/configmaps"
VERSION = {"GET /version": [Reply({"gitVersion": "v1.35.4"})]}
OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


def item(name: str, version: int = 1, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": str(version)}, **more}


def page(*items: dict[str, Any], version: int = 1, token: str = "") -> Reply:
    return Reply({"items": list(items), "metadata": {"resourceVersion": str(version), "continue": token}})


def names(items: Any) -> list[str]:
    return [each["metadata"]["name"] for each in items]


# --- lists ---


def test_a_list_comes_page_by_page() -> None:
    with KubernetesStandIn({f"GET {MAPS}": [page(item("a"), token="t1"), page(item("b"))]}) as api:
        found = list(Kubernetes(api.access()).list(CONFIG_MAP, "default", labels="x=y", fields="z=1", limit=1))
    assert names(found) == ["a", "b"]
    assert found[0]["kind"] == "ConfigMap"
    assert api.seen[0].query == {"labelSelector": "x=y", "fieldSelector": "z=1", "limit": "1"}
    assert api.seen[1].query["continue"] == "t1"


def test_a_kind_of_which_there_is_nothing_yet_is_an_empty_list() -> None:
    with KubernetesStandIn({f"GET {MAPS}": [Reply({"items": None, "metadata": {}})]}) as api:
        kubernetes = Kubernetes(api.access())
        assert list(kubernetes.list(CONFIG_MAP, "default")) == []
        assert kubernetes.list_metadata(CONFIG_MAP, "default") == ()


def test_a_list_that_expires_midway_goes_on_with_the_apis_new_token() -> None:
    expired = refusal(410, "Expired", "too old", metadata={"continue": "fresh"})
    with KubernetesStandIn({f"GET {MAPS}": [page(item("a"), token="t1"), expired, page(item("b"))]}) as api:
        assert names(Kubernetes(api.access()).list(CONFIG_MAP, "default")) == ["a", "b"]
    assert [seen.query.get("continue") for seen in api.seen] == [None, "t1", "fresh"]


def test_a_kind_that_the_cluster_does_not_know_has_no_objects() -> None:
    with KubernetesStandIn({}) as api:
        kubernetes = Kubernetes(api.access())
        assert kubernetes.find_kind("argoproj.io/v1alpha1", "Workflow") is None
        assert list(kubernetes.list(Kind("argoproj.io/v1alpha1", "Workflow", "workflows", namespaced=True))) == []
        with pytest.raises(ToolError, match="does not know Workflow"):
            kubernetes.apply({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}})


def test_a_kind_that_comes_later_is_found_and_then_known() -> None:
    version = "argoproj.io/v1alpha1"
    workflow, application = (
        {"kind": kind, "name": name, "namespaced": True}
        for kind, name in (("Workflow", "workflows"), ("Application", "applications"))
    )
    answers = [Reply({"resources": [workflow]}), Reply({"resources": [workflow, application]})]
    with KubernetesStandIn({f"GET /apis/{version}": answers}) as api:
        kubernetes = Kubernetes(api.access())
        for _ in range(2):
            assert kubernetes.find_kind(version, "Workflow") == Kind(version, "Workflow", "workflows", namespaced=True)
        for _ in range(2):
            found = kubernetes.find_kind(version, "Application")
            assert found == Kind(version, "Application", "applications", namespaced=True)
    assert len(api.seen) == 2


# --- what is tried again ---


def test_an_api_that_is_busy_is_asked_again_when_it_says() -> None:
    busy = Reply({"message": "busy"}, 429, {"Retry-After": "1"})
    with KubernetesStandIn({**VERSION, f"GET {MAPS}/a": [busy, Reply({}, 503), Reply(item("a"))]}) as api:
        kubernetes = Kubernetes(api.access())
        kubernetes.version()
        assert kubernetes.get(CONFIG_MAP, "a") is not None
    assert len(api.seen) == 4


def test_a_dropped_connection_is_no_error_once_the_api_has_answered() -> None:
    drops = [Reply(drops=True), Reply(drops=True)]
    with KubernetesStandIn({**VERSION, f"PATCH {MAPS}/a": [*drops, Reply(item("a"))]}) as api:
        kubernetes = Kubernetes(api.access())
        kubernetes.version()
        assert kubernetes.apply(OBJECT)["metadata"]["name"] == "a"


def test_what_may_have_been_made_is_not_made_again() -> None:
    with KubernetesStandIn({**VERSION, f"POST {MAPS}": [Reply(drops=True), Reply(item("a"))]}) as api:
        kubernetes = Kubernetes(api.access())
        kubernetes.version()
        with pytest.raises(PreflightError, match="cannot be reached"):
            kubernetes.create(OBJECT)
    assert [seen.method for seen in api.seen] == ["GET", "POST"]


def test_an_api_that_never_answered_is_given_up_at_once() -> None:
    with hold_closed_port() as port, pytest.raises(PreflightError, match="connection refused") as caught:
        Kubernetes(make_access(f"http://127.0.0.1:{port}"), timeout_s=3600).version()
    assert f"http://127.0.0.1:{port}" in caught.value.message
    assert "start the cluster" in caught.value.hint


def test_an_api_that_does_not_answer_in_time_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        access = make_access(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(PreflightError, match="took the request and did not answer"):
            Kubernetes(access, timeout_s=0.3).version()


def test_a_name_that_does_not_resolve_is_told() -> None:
    with pytest.raises(PreflightError, match="its name is not known"):
        Kubernetes(make_access("http://api.mlops.invalid")).version()


def test_the_kubeconfigs_proxy_leads_to_the_api() -> None:
    with KubernetesStandIn(VERSION) as proxy:
        access = make_access("http://api.mlops.invalid", **{"proxy-url": proxy.url})
        assert Kubernetes(access).version() == "v1.35.4"


def test_the_environments_proxy_leads_to_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    with KubernetesStandIn(VERSION) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert Kubernetes(make_access("http://api.mlops.invalid")).version() == "v1.35.4"
        monkeypatch.setenv("no_proxy", "mlops.invalid")
        with pytest.raises(PreflightError, match="its name is not known"):
            Kubernetes(make_access("http://api.mlops.invalid")).version()


# --- words ---


FORBIDDEN = 'configmaps is forbidden: User "eve" cannot list resource "configmaps" in API group "" in the namespace "x"'
QUOTA = 'configmaps "a" is forbidden: exceeded quota: team, requested: pods=1, used: pods=5, limited: pods=5'
WEBHOOK = (
    'Internal error occurred: failed calling webhook "validate.kserve.io": failed to call webhook: Post "https://k": '
    'no endpoints available for service "kserve-webhook-server-service"'
)


@pytest.mark.parametrize(
    ("reply", "error", "words", "hint"),
    [
        (refusal(401, "Unauthorized", "Unauthorized"), PreflightError, ["does not accept the credentials"], "log in"),
        (refusal(403, "Forbidden", FORBIDDEN), PreflightError, ["not allowed to apply configmaps a", "eve"], "right"),
        (refusal(403, "Forbidden", QUOTA), ToolError, ["quota team is used up", "pods=5"], "ResourceQuota"),
        (refusal(403, "Forbidden", "violates PodSecurity"), ToolError, ["violates PodSecurity"], "policy"),
        (refusal(409, "Conflict", "the object has been modified"), ToolError, ["modified"], "try again"),
        (refusal(409, "AlreadyExists", "a already exists"), ToolError, ["already exists"], "another name"),
        (refusal(500, "InternalError", WEBHOOK), ToolError, ["kserve-webhook-server-service"], "its pods are down"),
        (Reply("gateway fell over", 500), ToolError, ["gateway fell over"], "log"),
    ],
)
def test_a_refusal_says_what_to_do(reply: Reply, error: type[MlopsError], words: list[str], hint: str) -> None:
    with KubernetesStandIn({f"PATCH {MAPS}/a": [reply]}) as api, pytest.raises(MlopsError) as caught:
        Kubernetes(api.access()).apply(OBJECT)
    assert type(caught.value) is error
    assert status_of(caught.value) == reply.status
    assert all(word in caught.value.message for word in words)
    assert hint in caught.value.hint


def test_an_invalid_object_names_each_field() -> None:
    causes = [{"field": "spec.replicas", "message": "must be positive"}, {"field": "spec.x", "message": "unknown"}]
    reply = refusal(422, "Invalid", "Deployment is invalid", details={"causes": causes})
    with KubernetesStandIn({f"PATCH {MAPS}/a": [reply]}) as api, pytest.raises(ToolError) as caught:
        Kubernetes(api.access()).apply(OBJECT)
    assert caught.value.details == ("spec.replicas: must be positive", "spec.x: unknown")


def test_gone_is_no_error_where_it_may_be() -> None:
    with KubernetesStandIn({}) as api:
        kubernetes = Kubernetes(api.access())
        assert kubernetes.get(CONFIG_MAP, "a") is None
        assert kubernetes.delete(CONFIG_MAP, "a") is False
        with pytest.raises(NotFoundError):
            kubernetes.patch(CONFIG_MAP, "a", None, {})


# --- credentials ---


def plugin(tmp_path: Path, code: str) -> dict[str, Any]:
    """A user whose token a program makes: `code` is Python, `count` the file where it counts its runs."""
    count = tmp_path / "count"
    script = tmp_path / "plugin.py"
    script.write_text(f"import json, os, sys\nwith open({str(count)!r}, 'a') as file:\n    file.write('x')\n{code}")
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)]}}


COUNTING = """
runs = os.path.getsize(os.path.join(os.path.dirname(__file__), "count"))
status = {"token": f"token-{runs}", "expirationTimestamp": "2999-01-01T00:00:00Z"}
print(json.dumps({"kind": "ExecCredential", "status": status}))
"""


def test_a_plugins_token_is_kept_and_renewed_when_it_is_refused(tmp_path: Path) -> None:
    answers = [Reply(item("a")), Reply(item("a")), refusal(401, "Unauthorized", "expired"), Reply(item("a"))]
    with KubernetesStandIn({f"GET {MAPS}/a": answers}) as api:
        kubernetes = Kubernetes(api.access(plugin(tmp_path, COUNTING)))
        for _ in range(3):
            kubernetes.get(CONFIG_MAP, "a")
    assert [seen.authorization for seen in api.seen] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]


def test_a_plugins_token_that_has_ended_is_renewed_before_it_is_used(tmp_path: Path) -> None:
    with KubernetesStandIn({f"GET {MAPS}/a": [Reply(item("a"))]}) as api:
        kubernetes = Kubernetes(api.access(plugin(tmp_path, COUNTING.replace("2999", "2001"))))
        kubernetes.get(CONFIG_MAP, "a")
        kubernetes.get(CONFIG_MAP, "a")
    assert [seen.authorization for seen in api.seen] == ["Bearer token-1", "Bearer token-2"]


def broken(user: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {"exec": {**user["exec"], **change}}


@pytest.mark.parametrize(
    ("code", "change", "words"),
    [
        ("sys.exit('no session: log in')", {}, "failed with code 1"),
        ("print('hello')", {}, "wrote no ExecCredential"),
        ("", {"command": "mlops-no-such-program"}, "does not run"),
    ],
)
def test_a_plugin_that_fails_is_told(tmp_path: Path, code: str, change: dict[str, Any], words: str) -> None:
    user = broken(plugin(tmp_path, code), **change)
    with pytest.raises(PreflightError, match=words) as caught:
        Kubernetes(make_access("http://127.0.0.1:9", user)).version()
    if "sys.exit" in code:
        assert caught.value.details == ("no session: log in",)


@pytest.mark.parametrize(
    ("user", "header"),
    [({"token": "t"}, "Bearer t"), ({"username": "u", "password": "test"}, "Basic dTp0ZXN0"), ({}, "")],
)
def test_each_kind_of_user_shows_itself(user: dict[str, Any], header: str) -> None:
    with KubernetesStandIn(VERSION) as api:
        Kubernetes(api.access(user)).version()
    assert api.seen[0].authorization == header


def test_a_certificate_that_is_none_is_told() -> None:
    access = make_access("https://127.0.0.1:9", **{"certificate-authority-data": "bm90IGEgY2VydA=="})
    with pytest.raises(PreflightError, match="a certificate or key in the kubeconfig is not valid"):
        Kubernetes(access).version()


# --- watches ---


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": item(name, version)}


def watch(replies: list[Reply], count: int) -> tuple[list[tuple[str, str]], list[dict[str, str]]]:
    """The first `count` changes that a watch tells, and the queries it sent."""
    with KubernetesStandIn({f"GET {MAPS}": replies}) as api:
        changes = Kubernetes(api.access()).watch(CONFIG_MAP, "default", timeout_s=60)
        told = [(kind, obj["metadata"]["name"]) for kind, obj in (next(changes) for _ in range(count))]
        changes.close()  # type: ignore[attr-defined]
    return told, [seen.query for seen in api.seen]


def stream(*events: dict[str, Any], drops: bool = False) -> Reply:
    return Reply([*events], stream=True, drops=drops)


def test_a_watch_goes_on_from_where_it_was_cut_off() -> None:
    replies = [
        page(item("a", 5), version=7),
        stream(event("MODIFIED", "a", 8), event("BOOKMARK", "", 9), drops=True),
        stream(event("DELETED", "a", 10)),
    ]
    told, queries = watch(replies, 3)
    assert told == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert [query.get("resourceVersion") for query in queries] == [None, "7", "9"]


@pytest.mark.parametrize(
    "expired",
    [
        stream({"type": "ERROR", "object": {"kind": "Status", "code": 410, "metadata": {}}}),
        refusal(410, "Expired", "too old resource version"),
    ],
)
def test_a_watch_whose_version_expired_tells_what_changed_meanwhile(expired: Reply) -> None:
    replies = [
        page(item("a", 1), item("b", 1), item("c", 1), version=2),
        expired,
        page(item("a", 1), item("b", 3), item("d", 4), version=9),
        stream(event("MODIFIED", "a", 10)),
    ]
    told, _ = watch(replies, 7)
    assert told == [
        *[("ADDED", name) for name in "abc"],
        ("MODIFIED", "b"),
        ("ADDED", "d"),
        ("DELETED", "c"),
        ("MODIFIED", "a"),
    ]


def test_a_watch_ends_when_its_time_is_up() -> None:
    with KubernetesStandIn({f"GET {MAPS}": [page(item("a")), stream()]}) as api:
        told = list(Kubernetes(api.access()).watch(CONFIG_MAP, "default", name="a", timeout_s=0.2))
    assert [kind for kind, _ in told] == ["ADDED"]
    assert api.seen[0].query["fieldSelector"] == "metadata.name=a"


def test_a_watch_that_is_not_allowed_says_so() -> None:
    replies = [page(), refusal(403, "Forbidden", FORBIDDEN)]
    with (
        KubernetesStandIn({f"GET {MAPS}": replies}) as api,
        pytest.raises(PreflightError, match="not allowed to watch"),
    ):
        list(Kubernetes(api.access()).watch(CONFIG_MAP, "default", timeout_s=60))


# --- logs ---

LOG = "/api/v1/namespaces/default/pods/p/log"


def test_a_log_that_is_cut_off_goes_on_without_telling_a_line_twice() -> None:
    first = ["2026-11-21T14:00:00.1Z one", "2026-11-21T14:00:00.2Z two", "2026-11-21T14:00:00.2Z two again"]
    rest = [*first, "2026-11-21T14:00:01.1Z three"]
    replies = [Reply(first, stream=True, drops=True), Reply(rest, stream=True)]
    with KubernetesStandIn({f"GET {LOG}": replies}) as api:
        told = list(Kubernetes(api.access()).logs("p", "default", container="main", follow=True, tail=5))
    assert told == ["one", "two", "two again", "three"]
    assert api.seen[0].query == {"container": "main", "follow": "true", "tailLines": "5", "timestamps": "true"}
    assert api.seen[1].query["sinceTime"] == "2026-11-21T14:00:00Z"


def test_what_the_kubelet_says_in_place_of_a_log_is_not_the_programs() -> None:
    lines = ['failed to try resolving symlinks in path "/var/log/pods/p/0.log"', "2026-11-21T14:00:00.1Z one"]
    with KubernetesStandIn({f"GET {LOG}": [Reply(lines, stream=True)]}) as api:
        assert list(Kubernetes(api.access()).logs("p", "default", container="main")) == ["one"]


def test_a_container_that_has_not_started_is_told() -> None:
    reply = refusal(400, "BadRequest", 'container "main" in pod "p" is waiting to start: ImagePullBackOff')
    with KubernetesStandIn({f"GET {LOG}": [reply]}) as api, pytest.raises(ToolError, match="ImagePullBackOff"):
        list(Kubernetes(api.access()).logs("p", "default", container="main"))


# --- rights ---


@pytest.mark.parametrize("allowed", [True, False])
def test_a_right_is_asked_for_by_verb_group_and_subresource(allowed: bool) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    with KubernetesStandIn({f"POST {path}": [Reply({"status": {"allowed": allowed}})]}) as api:
        asked: Callable[..., bool] = Kubernetes(api.access()).allows
        assert asked("get", POD._replace(plural="pods/log"), "team") is allowed
    attributes = api.seen[0].body["spec"]["resourceAttributes"]
    assert attributes == {"verb": "get", "group": "", "resource": "pods", "subresource": "log", "namespace": "team"}
    assert "Bearer" not in json.dumps(attributes)

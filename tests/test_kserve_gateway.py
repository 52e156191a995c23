"""The way to models through the platform's Gateway: routes, addresses, and which way a prediction takes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes_stand_in import KubernetesStandIn, Reply, refusal
from own_chart import OPERATORS, SCIENTISTS, VIEWERS, may, of_kind

from platform_cli.errors import NotFoundError
from platform_cli.serving.kserve_assembly import GATEWAY, open_serving
from platform_cli.serving.kserve_gateway import Entrance, answers, find_address
from platform_cli.serving.kserve_manifest import Sizing, Wish, build_route, build_service
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.mlflow import Registry

MODEL_NAME = "Größe 1"
WISH = Wish(model=MODEL_NAME, version="3", namespace="mlops", runtime="r", service_account="a", sizing=Sizing())
NETWORKING = "/apis/gateway.networking.k8s.io/v1"
KINDS = [
    {"kind": "Gateway", "name": "gateways", "namespaced": True},
    {"kind": "HTTPRoute", "name": "httproutes", "namespaced": True},
]
SERVED = {f"GET {NETWORKING}": [Reply({"resources": KINDS})]}
THE_GATEWAY = f"GET {NETWORKING}/namespaces/mlops/gateways/platform"
ROUTES = f"{NETWORKING}/namespaces/mlops/httproutes"
NOWHERE = Registry("sqlite:////nonexistent/mlflow.db")


def applied() -> dict[str, Any]:
    service = build_service(WISH)
    service["metadata"]["uid"] = "7"
    return service


def gateway(address: str = "203.0.113.7", **listener: Any) -> dict[str, Any]:
    status = {"addresses": [{"type": "IPAddress", "value": address}]} if address else {}
    spec = {"listeners": [{"name": "http", "protocol": "HTTP", "port": 80, **listener}]}
    return {"metadata": {"name": "platform"}, "spec": spec, "status": status}


def route(*, name: str = WISH.name, parent: str = "platform", accepted: str = "True") -> dict[str, Any]:
    conditions = [{"type": "Accepted", "status": accepted}]
    status = {"parents": [{"parentRef": {"name": parent}, "conditions": conditions}]}
    return {"metadata": {"name": name, "namespace": "mlops"}, "status": status}


def page(*items: dict[str, Any]) -> Reply:
    return Reply({"metadata": {"resourceVersion": "1"}, "items": list(items)})


def test_a_route_leads_the_models_own_paths_to_it_and_goes_with_it() -> None:
    made = build_route(applied(), "platform")
    assert made["metadata"]["ownerReferences"][0]["uid"] == "7"
    (rule,) = made["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/v2/models/Gr%C3%B6%C3%9Fe%201"}}]
    assert [(ref["name"], ref["port"]) for ref in rule["backendRefs"]] == [(f"{WISH.name}-predictor", 80)]
    assert [ref["name"] for ref in made["spec"]["parentRefs"]] == ["platform"]
    assert "hostnames" not in made["spec"]


@pytest.mark.parametrize(
    ("found", "url"),
    [
        (gateway(), "http://203.0.113.7"),
        (gateway(port=8080), "http://203.0.113.7:8080"),
        (gateway(protocol="HTTPS", port=443), "https://203.0.113.7"),
        (gateway("2001:db8::7"), "http://[2001:db8::7]"),
        (gateway("lb.example.com"), "http://lb.example.com"),
        (gateway(hostname="models.example.com"), "http://models.example.com"),
        (gateway(hostname="*.example.com"), ""),
        (gateway(protocol="TCP"), ""),
        (gateway(""), ""),
    ],
    ids=["ip", "port", "https", "ipv6", "name", "hostname", "pattern", "no-http", "no-address"],
)
def test_the_address_is_the_listeners(found: dict[str, Any], url: str) -> None:
    assert find_address(found) == url


@pytest.mark.parametrize(
    ("replies", "urls"),
    [
        pytest.param({THE_GATEWAY: [Reply(gateway())], ROUTES: route()}, {WISH.name: "http://203.0.113.7"}, id="open"),
        pytest.param({THE_GATEWAY: [Reply(gateway())], ROUTES: route(accepted="False")}, {}, id="not-accepted"),
        pytest.param({THE_GATEWAY: [Reply(gateway())], ROUTES: route(parent="other")}, {}, id="another-gateway"),
        pytest.param({THE_GATEWAY: [Reply(gateway(""))]}, {}, id="no-address"),
        pytest.param({THE_GATEWAY: [refusal(403, "Forbidden", "you cannot get it")]}, {}, id="forbidden"),
        pytest.param({}, {}, id="no-gateway"),
    ],
)
def test_only_what_the_gateway_has_accepted_is_outside(replies: Mapping[str, Any], urls: dict[str, str]) -> None:
    given = {key: value for key, value in replies.items() if key != ROUTES}
    listed = {f"GET {ROUTES}": [page(replies[ROUTES])]} if ROUTES in replies else {}
    with KubernetesStandIn({**SERVED, **given, **listed}) as api:
        assert Entrance(Kubernetes(api.access()), "mlops", "platform").find_urls() == urls


def test_without_a_gateway_nothing_is_asked() -> None:
    with KubernetesStandIn(SERVED) as api:
        entrance = Entrance(Kubernetes(api.access()), "mlops", "")
        entrance.route(applied())
        assert (entrance.find_urls(), entrance.trouble, entrance.is_routed(applied())) == ({}, "", True)
        assert api.seen == []


def test_a_gateway_that_is_not_there_yet_is_told() -> None:
    with KubernetesStandIn({f"GET {NETWORKING}": [refusal(404, "NotFound", "no")]}) as api:
        entrance = Entrance(Kubernetes(api.access()), "mlops", "platform")
        entrance.route(applied())
        assert "the gateway is not on the cluster" in entrance.trouble
        assert entrance.is_routed(applied())


def test_a_deployed_model_without_a_route_gets_one() -> None:
    place = f"{ROUTES}/{WISH.name}"
    with KubernetesStandIn({**SERVED, f"PATCH {place}": [Reply({})]}) as api:
        entrance = Entrance(Kubernetes(api.access()), "mlops", "platform")
        assert not entrance.is_routed(applied())
        entrance.route(applied())
        assert [seen.body for seen in api.seen if seen.method == "PATCH"] == [build_route(applied(), "platform")]


class Door(ThreadingHTTPServer):
    """Answers for one model, as a gateway before it would."""

    def __init__(self, model: str) -> None:
        document = {"name": model, "versions": ["3"], "inputs": [], "outputs": []}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def door() -> Iterator[Door]:
    with Door(MODEL_NAME) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def test_an_address_is_taken_if_the_model_answers_there(door: Door) -> None:
    url = f"http://127.0.0.1:{door.server_port}/v2/models/x"
    assert answers(url, MODEL_NAME)
    assert not answers(url, "another")
    door.shutdown()
    door.server_close()
    assert not answers(url, MODEL_NAME)


SERVICE = f"GET /apis/serving.kserve.io/v1beta1/namespaces/mlops/inferenceservices/{WISH.name}"


def lead_to(door: Door) -> dict[str, list[Reply]]:
    """An API whose gateway leads to the model behind that door."""
    return {
        **SERVED,
        SERVICE: [Reply(applied())],
        THE_GATEWAY: [Reply(gateway("127.0.0.1", port=door.server_port))],
        f"GET {ROUTES}": [page(route())],
    }


def test_a_prediction_goes_through_the_gateway_that_answers(door: Door) -> None:
    with KubernetesStandIn(lead_to(door)) as api:
        serving = open_serving(Kubernetes(api.access()), NOWHERE, ["gateway"])
        with serving.connect(MODEL_NAME) as url:
            assert url == f"http://127.0.0.1:{door.server_port}/v2/models/Gr%C3%B6%C3%9Fe%201"


def test_where_the_gateway_does_not_answer_a_forward_is_opened(door: Door) -> None:
    """There is no such Service here, which only a forward would miss."""
    door.shutdown()
    door.server_close()
    with KubernetesStandIn(lead_to(door)) as api:
        serving = open_serving(Kubernetes(api.access()), NOWHERE, ["gateway"])
        with pytest.raises(NotFoundError, match=f"{WISH.name}-predictor"), serving.connect(MODEL_NAME):
            pass


ROUTE_KIND, GATEWAY_KIND = "httproutes.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io"
TOUCHED = [
    ("get", GATEWAY_KIND),
    *((verb, ROUTE_KIND) for verb in ("get", "list", "create", "patch")),
    ("delete", "horizontalpodautoscalers.autoscaling"),
    ("delete", "scaledobjects.keda.sh"),
]


@pytest.mark.parametrize(("verb", "resource"), TOUCHED)
def test_who_deploys_models_may_make_their_routes(verb: str, resource: str) -> None:
    assert may(SCIENTISTS, verb, resource, "mlops")
    assert may(VIEWERS, verb, resource, "mlops") == (verb in ("get", "list"))


@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
def test_the_gateway_itself_is_the_operators(verb: str) -> None:
    assert not may(SCIENTISTS, verb, GATEWAY_KIND, "mlops")
    assert may(OPERATORS, verb, GATEWAY_KIND, "mlops")


def test_the_gateway_is_where_routes_look_for_it() -> None:
    assert list(of_kind("existing", "Gateway")) == [f"mlops/{GATEWAY}"]

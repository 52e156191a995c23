"""The truth about a deployed model: what its supervisor wrote, held against processes and the server's own answer."""

from __future__ import annotations

import difflib
import http.client
import urllib.parse
from collections.abc import Sequence

import psutil

from platform_cli.errors import NotFoundError
from platform_cli.serving.interface import Endpoint, ServingState
from platform_cli.serving.record import Condition, Deployment, Place

_PROBE_TIMEOUT_S = 5.0
_AGAIN = "mlops deploy starts it again"


def inspect_place(place: Place, deployment: Deployment) -> Endpoint:
    """How a deployed model is right now; asks its server."""
    condition = _read_latest(place)
    state, reason = _judge(deployment, condition)
    port = condition.port if condition else deployment.port
    return Endpoint(
        name=deployment.name,
        version=condition.version if condition else deployment.version,
        state=state,
        reason=reason,
        url=f"http://{deployment.host}:{port}{_path(deployment.name)}",
        host=deployment.host,
        port=port,
        pids=_list_pids(condition) if condition else (),
        started=condition.started if condition and state is ServingState.READY else None,
        restarts=condition.restarts if condition else 0,
        log=place.server_log,
    )


def _read_latest(place: Place) -> Condition | None:
    condition = place.read_condition()
    # A supervisor writes down that it stops, then ends: what was read before may be older than its end.
    return condition if condition is None or condition.supervisor.alive else place.read_condition()


def suggest_place(name: str, places: Sequence[Place]) -> NotFoundError:
    """The error for a model that is not deployed, with the nearest that is."""
    names = [place.name for place in places]
    near = difflib.get_close_matches(name, names, n=1)
    deployed = f"deployed: {', '.join(names)}" if names else f"deploy it: mlops model deploy {name}"
    return NotFoundError(f"model '{name}' is not deployed", hint=f"did you mean '{near[0]}'?" if near else deployed)


def _judge(deployment: Deployment, condition: Condition | None) -> tuple[ServingState, str]:
    if condition is None:
        return ServingState.CRASHED, f"its supervisor never started; {_AGAIN}"
    if not condition.supervisor.alive:
        return _judge_unsupervised(condition)
    if condition.phase == "starting":
        return ServingState.STARTING, f"after: {condition.reason}" if condition.reason else "the model is loading"
    if condition.phase != "ready":
        return ServingState.CRASHED, f"{condition.reason}; it is tried again"
    if not _answers(deployment, condition.port):
        return ServingState.CRASHED, "the server does not answer"
    return ServingState.READY, ""


def _judge_unsupervised(condition: Condition) -> tuple[ServingState, str]:
    if condition.phase == "failed":
        return ServingState.CRASHED, condition.reason
    if condition.phase == "stopped":
        return ServingState.STOPPED, f"it was stopped; {_AGAIN}"
    if condition.supervisor.created < psutil.boot_time():
        return ServingState.STOPPED, f"the machine was restarted; {_AGAIN}"
    return ServingState.CRASHED, f"its supervisor was killed; {_AGAIN}"


def _answers(deployment: Deployment, port: int) -> bool:
    connection = http.client.HTTPConnection(deployment.host, port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", f"{_path(deployment.name)}/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _path(name: str) -> str:
    return f"/v2/models/{urllib.parse.quote(name, safe='')}"


def _list_pids(condition: Condition) -> tuple[int, ...]:
    return tuple(process.pid for process in (condition.supervisor, *condition.servers) if process.alive)


def holds(wish: Deployment, before: Deployment, present: Endpoint) -> bool:
    """Whether what is wanted is served already."""
    is_served = present.state is ServingState.READY and present.version == wish.version and wish.is_same_model(before)
    return is_served and wish.port in (before.port, present.port)

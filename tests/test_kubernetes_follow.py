"""Watches and logs over connections that drop, fall silent, or lead to an API that is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pytest
from kubernetes_stand_in import KubernetesStandIn, Reply, refusal

from platform_cli.errors import DeadlineError, PreflightError
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CONFIG_MAP
from platform_cli.tools.kubernetes_log import LogPosition, read_log

pytestmark = pytest.mark.timeout(60)
MAPS = "/api/v1/namespaces/default/configmaps"
LOG = "/api/v1/namespaces/default/pods/p/log"
GONE = refusal(410, "Expired", "too old resource version")
AWAY = [Reply(drops=True), refusal(503, "ServiceUnavailable", "starting"), refusal(500, "InternalError", "etcd")]


def item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": str(version)}}


def page(*items: dict[str, Any], version: int = 1) -> Reply:
    return Reply({"items": list(items), "metadata": {"resourceVersion": str(version)}})


def stamp(second: int, text: str) -> str:
    return f"2026-11-21T14:00:{second:02}.100000000Z {text}"


def follow(api: KubernetesStandIn, *, follows: bool = True, silence_s: float = 30) -> Iterator[str]:
    transport = Kubernetes(api.access(), patience_s=0).transport
    return read_log(
        transport, "p", "default", {"container": "main"}, follows=follows, silence_s=silence_s, pause_s=0.02
    )


# watches


@pytest.mark.parametrize("away", AWAY, ids=["dropped", "503", "500"])
def test_a_watch_outlives_an_api_that_forgets_the_version_and_goes_away(away: Reply) -> None:
    replies = [
        page(item("a", 1)),
        GONE,
        away,
        away,
        page(item("a", 1), item("b", 9), version=9),
        Reply([], stream=True),
    ]
    with KubernetesStandIn({f"GET {MAPS}": replies}) as api:
        kubernetes = Kubernetes(api.access(), patience_s=0)
        told = [
            (kind, obj["metadata"]["name"])
            for kind, obj in islice(kubernetes.watch(CONFIG_MAP, "default", timeout_s=60), 2)
        ]
    assert told == [("ADDED", "a"), ("ADDED", "b")]


def test_a_watch_that_may_no_longer_list_says_so() -> None:
    replies = [page(), GONE, refusal(403, "Forbidden", 'User "eve" cannot list configmaps')]
    with KubernetesStandIn({f"GET {MAPS}": replies}) as api, pytest.raises(PreflightError, match="not allowed to list"):
        list(Kubernetes(api.access(), patience_s=0).watch(CONFIG_MAP, "default", timeout_s=60))


def test_a_watch_whose_api_stays_away_ends_with_its_time() -> None:
    with KubernetesStandIn({f"GET {MAPS}": [page(item("a", 1)), GONE, Reply(drops=True)]}) as api:
        told = list(Kubernetes(api.access(), patience_s=0).watch(CONFIG_MAP, "default", timeout_s=1.2))
    assert [kind for kind, _ in told] == ["ADDED"]


# logs


@pytest.mark.parametrize("away", AWAY, ids=["dropped", "503", "500"])
def test_a_followed_log_waits_for_an_api_that_is_away(away: Reply) -> None:
    first, rest = [stamp(1, "one")], [stamp(1, "one"), stamp(2, "two")]
    replies = [Reply(first, stream=True, drops=True), away, away, Reply(rest, stream=True)]
    with KubernetesStandIn({f"GET {LOG}": replies}) as api:
        assert list(follow(api)) == ["one", "two"]


def test_a_followed_log_that_never_begins_is_told() -> None:
    with KubernetesStandIn({f"GET {LOG}": [Reply(drops=True)]}) as api, pytest.raises(PreflightError):
        list(follow(api))


def test_a_followed_log_that_is_refused_is_told() -> None:
    replies = [Reply([stamp(1, "one")], stream=True, drops=True), refusal(401, "Unauthorized", "Unauthorized")]
    with KubernetesStandIn({f"GET {LOG}": replies}) as api, pytest.raises(PreflightError, match="credentials"):
        list(follow(api))


class Stalling:
    """A log that falls silent after its first lines, until the reader has told these and asks once more."""

    def __init__(self, begun: Sequence[str], told: Sequence[str]) -> None:
        self._begun, self._told = begun, told
        self._asked = 0
        self.over = threading.Event()

    def __iter__(self) -> Iterator[str]:
        self._asked += 1
        is_whole = self._asked > 1 and len(self._told) >= len(self._begun)
        yield from self._begun
        if not is_whole:
            self.over.wait(50)
            return
        yield from [stamp(1, "one"), stamp(2, "two")][len(self._begun) :]


@pytest.mark.parametrize("begun", [[stamp(1, "one")], []], ids=["after a line", "before the first line"])
def test_a_connection_whose_other_end_is_gone_is_left(begun: Sequence[str]) -> None:
    told: list[str] = []
    log = Stalling(begun, told)
    with KubernetesStandIn({f"GET {LOG}": [Reply(log, stream=True)]}) as api:
        for text in follow(api, silence_s=0.5):
            told.append(text)  # noqa: PERF402 - the log looks at it meanwhile
        log.over.set()
    assert told == ["one", "two"]
    since = [seen.query.get("sinceTime") for seen in api.seen]
    assert (since[-1] == "2026-11-21T14:00:01Z") if begun else (since[:2] == [None, None])


def test_a_log_may_drop_as_often_as_it_gets_on() -> None:
    lines = [stamp(number, str(number)) for number in range(25)]
    drops = [Reply(lines[:end], stream=True, drops=True) for end in range(1, 25)]
    with KubernetesStandIn({f"GET {LOG}": [*drops, Reply(lines, stream=True)]}) as api:
        assert list(follow(api, follows=False)) == [str(number) for number in range(25)]


def test_a_log_that_does_not_get_on_is_given_up() -> None:
    replies = [Reply([stamp(1, "one")], stream=True, drops=True)]
    with KubernetesStandIn({f"GET {LOG}": replies}) as api, pytest.raises(DeadlineError, match="broke off 20 times"):
        list(follow(api, follows=False))


def test_a_log_goes_on_between_lines_of_one_moment_and_of_two_streams() -> None:
    late = "2026-11-21T14:00:02.000000000Z late"
    whole = [stamp(2, "a"), stamp(2, "b"), stamp(2, "b"), late, stamp(2, "c"), stamp(3, "d"), stamp(5, "e")]
    for cut in range(len(whole) + 1):
        position = LogPosition()
        told = [*position.tell_unread(whole[:cut]), *position.tell_unread(whole)]
        assert told == ["a", "b", "b", "late", "c", "d", "e"], cut
        assert list(position.tell_unread(whole)) == []


def test_a_log_is_asked_for_in_the_zone_of_its_node() -> None:
    position = LogPosition()
    list(position.tell_unread(["2026-11-21T15:00:07.100000000+01:00 one", "the kubelet has no file"]))
    assert position.since == "2026-11-21T15:00:07+01:00"

"""Following objects over dropped connections and expired versions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes_error import status_of
from platform_cli.tools.kubernetes_kind import Kind
from platform_cli.tools.kubernetes_transport import Request
from platform_cli.tools.line import split_lines

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

Change = tuple[str, dict[str, Any]]
_GONE = 410
_PAGE = 500
# The API sends a bookmark each minute; a connection that is silent for longer is dead.
_SILENCE_S = 75.0
_PAUSE_S = 0.5


class _ExpiredError(Exception):
    """The version to go on from is no longer known: list again."""


class _Follower:
    """What was told so far: the version to go on from, and the objects as they were last seen."""

    def __init__(self, api: Kubernetes, kind: Kind, namespace: str | None, query: Mapping[str, str]) -> None:
        self._api, self._kind, self._namespace, self._query = api, kind, namespace, query
        self._version = ""
        self._seen: dict[tuple[str, str], dict[str, Any]] = {}

    def relist(self) -> Iterator[Change]:
        """List everything and tell how it differs from what was told before."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        token: str | None = ""
        while token is not None:
            page = self._api.list_page(self._kind, self._namespace, {**self._query, "limit": _PAGE, "continue": token})
            found |= {_key(item): self._whole(item) for item in page.get("items") or ()}
            version, token = page["metadata"]["resourceVersion"], page["metadata"].get("continue") or None
        before, self._seen, self._version = self._seen, found, version
        for key, item in found.items():
            if key not in before or _uid(before[key]) != _uid(item):
                yield "ADDED", item
            elif _version(before[key]) != _version(item):
                yield "MODIFIED", item
        yield from (("DELETED", item) for key, item in before.items() if key not in found)

    def stream(self, left_s: float) -> Iterator[Change]:
        """Tell changes until the connection ends."""
        import msgspec

        for line in self._open(left_s):
            event = msgspec.json.decode(line)
            item = event["object"]
            if event["type"] == "ERROR":
                raise _ExpiredError
            self._version = _version(item)
            if event["type"] == "BOOKMARK":
                continue
            if event["type"] == "DELETED":
                self._seen.pop(_key(item), None)
            else:
                self._seen[_key(item)] = item
            yield event["type"], item

    def _open(self, left_s: float) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        watch = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self._version}
        request = Request(
            method="GET",
            path=self._kind.path(self._namespace),
            verb="watch",
            what=self._kind.resource,
            query={**self._query, **watch, "timeoutSeconds": max(1, round(left_s))},
            streams=True,
            timeout_s=min(left_s, _SILENCE_S),
        )
        answer = self._api.transport.send(request)
        try:
            yield from filter(None, split_lines(answer))
        except HTTPError:
            # Cut off in the middle: the caller goes on from the last version.
            return
        finally:
            answer.close()

    def _whole(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": self._kind.api_version, "kind": self._kind.kind, **item}


def follow(
    api: Kubernetes, kind: Kind, namespace: str | None, query: Mapping[str, str], deadline: float
) -> Iterator[Change]:
    """See `Kubernetes.watch`; `deadline` is a monotonic time.

    Raises:
        MlopsError: the first list failed, or the API does not let us.
    """
    follower = _Follower(api, kind, namespace, query)
    yield from follower.relist()
    is_expired = False
    while (started := time.monotonic()) < deadline:
        try:
            # An API that has forgotten the version may be away in the next moment: the list is tried for as long.
            if is_expired:
                yield from follower.relist()
                is_expired = False
            yield from follower.stream(deadline - started)
        except _ExpiredError:
            is_expired = True
        except MlopsError as error:
            if status_of(error) == _GONE:
                is_expired = True
            elif is_final(error):
                raise
        # An API that ends each watch at once must not be asked without a pause.
        time.sleep(max(0.0, min(_PAUSE_S - (time.monotonic() - started), deadline - time.monotonic())))


def is_final(error: MlopsError) -> bool:
    """Whether the API refuses us, rather than being away for a while."""
    return 400 <= status_of(error) < 500 and status_of(error) != 429  # noqa: PLR2004 - HTTP's own classes


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _version(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["resourceVersion"])


def _uid(item: Mapping[str, Any]) -> str:
    return str(item["metadata"].get("uid", ""))

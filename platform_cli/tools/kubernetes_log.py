"""Reading a container's log over dropped connections."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from platform_cli.errors import DeadlineError, MlopsError
from platform_cli.tools.kubernetes_error import status_of
from platform_cli.tools.kubernetes_kind import POD
from platform_cli.tools.kubernetes_transport import Request, Transport
from platform_cli.tools.kubernetes_watch import is_final
from platform_cli.tools.line import split_lines

if TYPE_CHECKING:
    import urllib3

_DROPS = 20
# A container may say nothing for hours, and so does a connection whose other end is gone: ask anew, from the last line.
_SILENCE_S = 75.0
_PAUSE_S = 0.5
_SECOND = len("2026-11-21T14:00:00")
_KEPT = timedelta(seconds=1)


class LogPosition:
    """How far a log was read, to the line: the API goes on from whole seconds only.

    The two streams of a container are merged by the node, so times may go back a little, and lines may share one.
    """

    def __init__(self) -> None:
        self._recent: dict[str, Counter[str]] = {}
        self._zone = ""

    @property
    def since(self) -> str:
        """The time to go on from, for the API; empty when nothing was read."""
        return min(self._recent) + self._zone if self._recent else ""

    def tell_unread(self, lines: Iterable[str]) -> Iterator[str]:
        """The texts of the lines that were not told before; `lines` begin with their times, and `since` or earlier."""
        since, known = min(self._recent, default=""), self._known
        for line in lines:
            moment, _, text = line.partition(" ")
            # A line without a time is the kubelet's, which has no file to read: that is no word of the program.
            if not moment[:4].isdecimal() or moment[:_SECOND] < since:
                continue
            if known[line] > 0:
                known[line] -= 1
                continue
            self._remember(moment, line)
            yield text

    def is_within(self, lines: Iterable[str]) -> bool:
        """Whether these lines hold the last told ones, so that none is missing between those and the others."""
        return not self._known - Counter(lines)

    @property
    def _known(self) -> Counter[str]:
        return sum(self._recent.values(), Counter[str]())

    def _remember(self, moment: str, line: str) -> None:
        second = moment[:_SECOND]
        self._zone = moment[_SECOND:].lstrip(".0123456789")
        if second not in self._recent:
            self._recent[second] = Counter()
            oldest = (datetime.fromisoformat(max(self._recent)) - _KEPT).isoformat()
            self._recent = {key: lines for key, lines in self._recent.items() if key >= oldest}
        if second in self._recent:
            self._recent[second][line] += 1


def read_log(
    transport: Transport,
    pod: str,
    namespace: str,
    query: Mapping[str, Any],
    *,
    follows: bool,
    silence_s: float = _SILENCE_S,
    pause_s: float = _PAUSE_S,
) -> Iterator[str]:
    """See `Kubernetes.logs`.

    A log that is followed and has begun is waited for while the API is away, for as long as that takes.
    """
    from urllib3.exceptions import HTTPError

    position, drops = LogPosition(), 0
    while True:
        try:
            with closing(
                _open(transport, pod, namespace, _resume(query, position, follows=follows), silence_s)
            ) as answer:
                for text in position.tell_unread(_read_lines(answer)):
                    drops = 0
                    yield text
        except HTTPError:
            drops += not follows
        except MlopsError as error:
            # The headers of a log come with its first line.
            if not follows or is_final(error) or not (position.since or _is_silence(error)):
                raise
            drops += status_of(error) > 0
        else:
            return
        if drops > _DROPS:
            raise DeadlineError(
                f"the log of {namespace}/{pod} broke off {_DROPS} times", hint="see that the cluster is well"
            )
        time.sleep(pause_s)


def _resume(query: Mapping[str, Any], position: LogPosition, *, follows: bool) -> dict[str, Any]:
    resumed = {"tailLines": None, "sinceTime": position.since} if position.since else {}
    return {**query, **resumed, "timestamps": "true", "follow": "true" if follows else ""}


def _is_silence(error: MlopsError) -> bool:
    from urllib3.exceptions import ReadTimeoutError

    return isinstance(error.__cause__, ReadTimeoutError)


def _open(
    transport: Transport, pod: str, namespace: str, query: Mapping[str, Any], silence_s: float
) -> urllib3.BaseHTTPResponse:
    request = Request(
        method="GET",
        path=POD.path(namespace, pod, "log"),
        verb="get",
        what=f"the log of pods {pod} in {namespace}",
        query=query,
        streams=True,
        timeout_s=silence_s,
    )
    return transport.send(request)


def _read_lines(answer: urllib3.BaseHTTPResponse) -> Iterator[str]:
    return (line.decode("utf-8", "replace") for line in split_lines(answer))

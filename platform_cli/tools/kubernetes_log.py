"""Reading a container's log over dropped connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from platform_cli.errors import DeadlineError
from platform_cli.tools.kubernetes_kind import POD
from platform_cli.tools.kubernetes_transport import Request, Transport

if TYPE_CHECKING:
    import urllib3

_DROPS = 20
# A container may say nothing for as long as a training step takes.
_SILENCE_S = 24 * 3600.0


def read_log(
    transport: Transport, pod: str, namespace: str, query: Mapping[str, Any], *, follows: bool
) -> Iterator[str]:
    """See `Kubernetes.logs`.

    Each line is asked for with its time, by which reading goes on after a drop without telling a line twice.
    """
    from urllib3.exceptions import HTTPError

    last = ""
    for _ in range(_DROPS):
        resumed = {**query, "tailLines": None, "sinceTime": _seconds(last)} if last else query
        answer = _open(
            transport, pod, namespace, {**resumed, "timestamps": "true", "follow": "true" if follows else ""}
        )
        told, is_whole = last, True
        try:
            for line in _read_lines(answer):
                moment, _, text = line.partition(" ")
                # A line without a time is the kubelet's, which has no file to read: that is no word of the program.
                if moment[:4].isdecimal() and moment > told:
                    yield text
                    last = moment
        except HTTPError:
            is_whole = False
        finally:
            answer.close()
        if is_whole:
            return
    raise DeadlineError(f"the log of {namespace}/{pod} broke off {_DROPS} times", hint="see that the cluster is well")


def _open(transport: Transport, pod: str, namespace: str, query: Mapping[str, Any]) -> urllib3.BaseHTTPResponse:
    request = Request(
        method="GET",
        path=POD.path(namespace, pod, "log"),
        verb="get",
        what=f"the log of pods {pod} in {namespace}",
        query=query,
        streams=True,
        timeout_s=_SILENCE_S,
    )
    return transport.send(request)


def _read_lines(answer: urllib3.BaseHTTPResponse) -> Iterator[str]:
    rest = b""
    for chunk in answer.stream(65_536, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")


def _seconds(moment: str) -> str:
    """The API takes whole seconds only: `2026-11-21T14:00:00.123456789Z` is asked for from its second on."""
    return f"{moment.partition('.')[0].removesuffix('Z')}Z"

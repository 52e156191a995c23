"""Websockets to a cluster's API, for what is no request: a program's input and output, a port's bytes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

PROTOCOL = "v4.channel.k8s.io"
"""Each message begins with a channel's number."""


def open_socket(kubernetes: Kubernetes, path: str, *, timeout_s: float) -> Any:
    """A websocket to a path, with its query; `timeout_s` is for the connection and each read.

    Raises:
        websocket.WebSocketException: the API refuses, or says what is no websocket.
        OSError: it cannot be reached.
    """
    import websocket

    access = kubernetes.access
    headers, context = kubernetes.transport.connect_options()
    return websocket.create_connection(
        f"ws{access.server.removeprefix('http')}{path}",
        timeout=timeout_s,
        header=[f"{name}: {value}" for name, value in headers.items()],
        subprotocols=[PROTOCOL],
        suppress_origin=True,
        sslopt={"context": context, "server_hostname": access.cluster.get("tls-server-name")},
        sockopt=_keep_alive(),
        enable_multithread=True,
        **_proxy_options(access.cluster.get("proxy-url")),
    )


def _keep_alive() -> list[tuple[int, int, int]]:
    """Notice within a minute that the other side has vanished without a word."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    wanted = {"TCP_KEEPIDLE": 20, "TCP_KEEPALIVE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    known = {name: value for name, value in wanted.items() if hasattr(socket, name)}
    return [*options, *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in known.items())]


def _proxy_options(proxy: str | None) -> dict[str, Any]:
    if not proxy:
        return {}
    parts = urlsplit(proxy)
    kind = "http" if parts.scheme == "https" else parts.scheme
    return {"http_proxy_host": parts.hostname, "http_proxy_port": parts.port or 80, "proxy_type": kind}

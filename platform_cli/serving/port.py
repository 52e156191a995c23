"""Ports of model servers: take the one that was asked for, or the next free one, and tell who holds a taken one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

import psutil

from platform_cli.errors import PreflightError

_BACKLOG = 1024
_TRIES = 100


def open_listener(host: str, port: int, *, is_exact: bool, favourite: int | None = None) -> socket.socket:
    """A listening socket on `favourite`, else on `port`, else (unless `is_exact`) on the next free one.

    Raises:
        PreflightError: no such port is free, or the address is not ours.
    """
    for candidate in _list_candidates(port, favourite, is_exact=is_exact):
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise PreflightError(f"cannot listen on {host}:{candidate}: {error.strerror}") from error
    if is_exact:
        raise _taken(host, port)
    raise PreflightError(f"none of the ports {port} to {port + _TRIES - 1} on {host} is free")


def require_free(host: str, port: int) -> None:
    """Check that a port can be had.

    Raises:
        PreflightError: it cannot; the message names the holder when it is known.
    """
    open_listener(host, port, is_exact=True).close()


def find_holder(port: int) -> str:
    """Who listens on a port, such as `python (process 4711)`; empty when that cannot be known."""
    try:
        found = [
            c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr and c.laddr.port == port
        ]
        pid = next((pid for pid in found if pid), None)
        return "" if pid is None else f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        # Without privileges macOS does not tell, and the holder may end while we ask.
        return ""


def _list_candidates(port: int, favourite: int | None, *, is_exact: bool) -> Iterable[int]:
    following = [port] if is_exact else range(port, min(port + _TRIES, 65536))
    return dict.fromkeys(([favourite] if favourite else []) + list(following))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _taken(host: str, port: int) -> PreflightError:
    holder = find_holder(port)
    return PreflightError(
        f"port {port} on {host} is in use" + (f" by {holder}" if holder else ""),
        hint="choose another with --port, or none to take the next free one",
    )

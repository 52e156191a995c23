"""An API server that goes away and comes back: a proxy in front of it that can drop and refuse everything."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from platform_cli.cluster.access import Access


@dataclass
class Proxy:
    """Stands between us and the API server: passes bytes on, and can drop every connection and refuse new ones."""

    target: tuple[str, int]
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)
    dropped: int = 0

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            self.pairs.append((client, server))
            threading.Thread(target=self.pump, args=[client, server], daemon=True).start()

    def pump(self, client: socket.socket, server: socket.socket) -> None:
        others = {client: server, server: client}
        try:
            while True:
                for source in select.select(list(others), [], [])[0]:
                    data = source.recv(65_536)
                    if not data:
                        return
                    others[source].sendall(data)
        except (OSError, ValueError):
            return
        finally:
            client.close()
            server.close()

    def cut(self, *, for_s: float) -> None:
        """Drop everything, refuse everything for a while, then listen on the same port again."""
        port = self.port
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.dropped += len(self.pairs)
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self.pairs.clear()
        time.sleep(for_s)
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self) -> None:
        self.listener.close()


@contextmanager
def open_proxy(access: Access) -> Iterator[Proxy]:
    """A proxy to the cluster's API; see `through`."""
    host, _, port = access.server.removeprefix("https://").rpartition(":")
    proxy = Proxy((host, int(port)))
    threading.Thread(target=proxy.serve, daemon=True).start()
    yield proxy
    proxy.close()


def through(access: Access, port: int) -> Access:
    """The same cluster at another port; its certificate still says 127.0.0.1."""
    config = json.loads(json.dumps(access.kubeconfig))
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    return Access(config, access.context)

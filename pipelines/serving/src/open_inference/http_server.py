"""uvicorn with an end that loses no request: what was accepted is answered before connections are closed."""

from __future__ import annotations

import asyncio
import socket

import uvicorn

_LOOK_EVERY_S = 0.02
_LAST_ANSWER = (b"connection", b"close")


class HttpServer(uvicorn.Server):
    """On TERM: accept no more, answer what still comes on open connections as the last on each, then drain.

    A request may be on its way on a connection that says nothing yet: an idle one is closed after `linger_s`.
    """

    def __init__(self, config: uvicorn.Config, *, linger_s: float) -> None:
        super().__init__(config)
        self._linger_s = linger_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn when it was told to end; closing an idle connection at once resets a request in transit."""
        for listener in self.servers:
            listener.close()
        self.server_state.default_headers = [*self.server_state.default_headers, _LAST_ANSWER]
        await self._linger()
        await super().shutdown(sockets)

    async def _linger(self) -> None:
        """Until nobody is connected, the time is up, or a second Ctrl-C."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._linger_s
        # The first pause lets the loop hand over what it accepted last.
        await asyncio.sleep(_LOOK_EVERY_S)
        while self.server_state.connections and clock() < end and not self.force_exit:
            await asyncio.sleep(_LOOK_EVERY_S)

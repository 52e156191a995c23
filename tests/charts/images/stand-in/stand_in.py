"""Answers every GET with 200 on the port that is its only number among the arguments; without one it just waits."""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"stand-in\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ports = [int(word) for word in sys.argv[1:] if word.isdigit()]
if ports:
    ThreadingHTTPServer(("0.0.0.0", ports[0]), Answer).serve_forever()
while True:
    signal.pause()

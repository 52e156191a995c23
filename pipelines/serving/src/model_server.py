"""Serve one MLflow model over the Open Inference Protocol V2.

    python model_server.py --model DIR --name iris --version 1 [--host 127.0.0.1] [--port 8500]

Exit status: 0 after TERM or Ctrl-C, 1 when the model cannot be served, 2 for bad arguments, 3 when the port is taken.
The last line on standard error says why.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import uvicorn

    from open_inference.application import Application

_PORT_TAKEN = 3
# Rows are small: one thread per prediction is faster than waking a pool, and leaves the cores to other requests.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line; argparse ends the process with status 2 when it makes no sense."""
    parser = argparse.ArgumentParser(description="Serve one MLflow model over the Open Inference Protocol V2.")
    parser.add_argument("--model", type=Path, required=True, help="folder of the MLflow model")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", default="1")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8500, help="0 takes a free one")
    parser.add_argument("--max-body-bytes", type=int, default=16 * 2**20)
    parser.add_argument("--max-merged-rows", type=int, default=512, help="1 never merges requests")
    parser.add_argument("--max-waiting", type=int, default=1024, help="requests waiting; more get 503")
    parser.add_argument("--drain-seconds", type=int, default=10, help="for requests in work after TERM")
    parser.add_argument("--linger-seconds", type=float, default=2.0, help="for requests on their way at TERM")
    supervised = parser.add_argument_group("under a supervisor")
    supervised.add_argument("--socket", type=int, help="inherited listening socket; answers begin when ready")
    supervised.add_argument("--ready-pipe", type=int, help="inherited pipe that gets a newline when ready")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Serve until TERM or Ctrl-C; returns the exit status."""
    arguments = parse_arguments(argv)
    # uvicorn drains first, then raises the signal again for us; before it runs, there is nothing to drain.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: os._exit(0))
    os.environ.update(_QUIET)
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        listener = open_listener(arguments)
    except OSError as error:
        return _complain(f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror}", _PORT_TAKEN)
    return serve(arguments, listener)


def open_listener(arguments: argparse.Namespace) -> socket.socket:
    """The socket to serve on: the supervisor's, or a new one.

    Raises:
        OSError: the address cannot be had.
    """
    if arguments.socket is not None:
        return socket.socket(fileno=arguments.socket)
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    listener = socket.create_server((arguments.host, arguments.port), family=family, backlog=1024)
    host, port = listener.getsockname()[:2]
    print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    return listener


def serve(arguments: argparse.Namespace, listener: socket.socket) -> int:
    """Load the model, and meanwhile (unless supervised) answer that we live; then serve."""
    from open_inference.application import Application, Limits
    from open_inference.http_server import HttpServer
    from open_inference.lifeline import report_ready, stop_with_supervisor
    from open_inference.metric import create_metrics

    limits = Limits(arguments.max_body_bytes, arguments.max_merged_rows, arguments.max_waiting)
    metrics = create_metrics(arguments.name, arguments.version)
    application = Application(arguments.name, arguments.version, metrics, limits)
    server = HttpServer(_configure(application, arguments), linger_s=arguments.linger_seconds)
    loading = ThreadPoolExecutor(1).submit(_load, arguments.model, application)
    if arguments.ready_pipe is None:
        loading.add_done_callback(lambda loaded: _end_without_model(loaded, server))
        server.run(sockets=[listener])
    else:
        stop_with_supervisor()
        # The socket is another version's, too: what we accept without a model is lost to the one that has its own.
        if loading.exception() is None:
            report_ready(arguments.ready_pipe)
            server.run(sockets=[listener])
    return _report(loading, arguments.model)


def _configure(application: Application, arguments: argparse.Namespace) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(
        application,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=arguments.drain_seconds,
    )


def _load(folder: Path, application: Application) -> None:
    # In the thread: pandas and MLflow take seconds to import.
    from open_inference.model import load_model

    application.become_ready(load_model(folder))


def _end_without_model(loaded: Future[None], server: uvicorn.Server) -> None:
    server.should_exit = server.should_exit or loaded.exception() is not None


def _report(loading: Future[None], folder: Path) -> int:
    error = loading.exception(timeout=0) if loading.done() else None
    if error is None:
        return 0
    logging.getLogger(__name__).error("the model does not load", exc_info=error)
    return _complain(f"cannot serve {folder}: {_describe(error)}", 1)


def _describe(error: BaseException) -> str:
    return str(error) if type(error).__name__ == "ModelError" else f"{type(error).__name__}: {error}"


def _complain(message: str, status: int) -> int:
    print(f"model_server: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that a model's libraries started (or one that still loads) must not hold up the end.
    os._exit(status)

"""The process that starts steps: small, single-threaded, and always ready to answer.

The engine sends requests over a Unix socket; the server forks one process per step and reports its end. Programs are
executed; Python steps run in a fork of a *generation*: a server that has already imported the libraries they need. A
generation imports before it serves and never after, so no request waits for an import. The server ends with its
engine (end of file on the socket) and takes its steps along.

Runs as a program of its own; imports nothing heavy.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from typing import Any, NoReturn

from platform_cli.workflow import step_process

Request = dict[str, Any]
_RECEIVE_BYTES = 1 << 16
_MOST_DESCRIPTORS = 32


def serve(channel: socket.socket) -> None:
    """Answer requests on `channel` until the engine closes it, then kill what still runs."""
    _Server(channel).run()


class _Server:
    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.steps: dict[int, int] = {}
        self.buffer = b""
        self.descriptors: list[int] = []
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.selector.register(self.channel, selectors.EVENT_READ)
        self.selector.register(wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fd == wake_read:
                    os.read(wake_read, 4096)
                elif not self.receive():
                    self.kill_all()
                    return
            self.reap()

    def receive(self) -> bool:
        """Read what is there and act on every complete request; False at the end of file, or of the work."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.channel, _RECEIVE_BYTES, _MOST_DESCRIPTORS)
        except ConnectionResetError:
            return False
        self.descriptors += descriptors
        self.buffer += data
        while b"\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\n", 1)
            request = json.loads(line)
            if request["do"] == "end":
                return False
            self.handle(request)
        return bool(data)

    def handle(self, request: Request) -> None:
        match request["do"]:
            case "start":
                self.start(request)
            case "signal":
                self.signal(request["id"], request["signal"])
            case "grow":
                self.grow(request["modules"])

    def start(self, request: Request) -> None:
        stdout, stderr = self.descriptors.pop(0), self.descriptors.pop(0)
        status_read, status_write = os.pipe()
        told_read, told_write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                signal.set_wakeup_fd(-1)
                os.close(told_write)
                if os.read(told_read, 1):
                    step_process.become(request, stdout=stdout, stderr=stderr, status=status_write)
            finally:
                os._exit(step_process.CANNOT_START)
        self.steps[child] = request["id"]
        self.send({"id": request["id"], "event": "started", "pid": child})
        # Not before the engine was told: if the step kills us, the engine must know whom to kill in turn.
        os.write(told_write, b"!")
        for descriptor in (stdout, stderr, status_write, told_read, told_write):
            os.close(descriptor)
        # The child closes its end when it is about to run the step: a few milliseconds at most.
        with os.fdopen(status_read, "rb") as status:
            problem = status.read()
        if problem:
            self.send({"id": request["id"], "event": "problem", "text": problem.decode(errors="replace")})

    def signal(self, step: int, number: int) -> None:
        for pid, known in self.steps.items():
            if known == step:
                _signal_group(pid, number)

    def grow(self, modules: list[str]) -> None:
        """Fork the next generation, which imports `modules` and then serves a channel of its own."""
        descriptor = self.descriptors.pop(0)
        if os.fork() == 0:
            self.selector.close()
            _become_generation(descriptor, modules)
        os.close(descriptor)

    def reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            step = self.steps.pop(pid, None)
            if step is not None:
                _signal_group(pid, signal.SIGKILL)
                report = {"id": step, "event": "exited", "status": os.waitstatus_to_exitcode(status)}
                self.send(report | {"cpu_s": usage.ru_utime + usage.ru_stime, "max_rss": usage.ru_maxrss})

    def send(self, message: Request) -> None:
        try:
            self.channel.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # the next read finds the end of file and ends us

    def kill_all(self) -> None:
        for pid in self.steps:
            _signal_group(pid, signal.SIGKILL)


def _become_generation(descriptor: int, modules: list[str]) -> NoReturn:
    from platform_cli.workflow import mount

    # Until it serves, a generation has no steps to look after and may simply die with its parent.
    mount.die_with_parent(signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    step_process.close_descriptors(keep=descriptor)
    imported = [module for module in modules if _import(module)]
    # A lock that a thread of the server holds would stay locked for ever in its forks.
    fit = threading.active_count() == 1
    gc.freeze()
    mount.die_with_parent(0)
    with socket.socket(fileno=descriptor) as channel:
        ready = {"event": "ready", "modules": imported, "fit": fit, "pid": os.getpid()}
        try:
            channel.sendall(json.dumps(ready).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)
        if fit:
            serve(channel)
        # With the channel still open: it closes when we are gone, which is what the engine waits for.
        os._exit(0)


def _import(module: str) -> bool:
    try:
        importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a library may raise anything while it is imported; the step will meet it itself
        return False
    return True


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def main() -> None:
    """Serve the socket whose descriptor is the only argument."""
    sys.argv[0] = "mlops-step-server"
    time.tzset()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        serve(channel)

"""The models registered on a cluster: its MLflow server, reached through a port-forward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from platform_cli.errors import NotFoundError, NotReadyError
from platform_cli.tools.mlflow import Registry

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

NAMESPACE, SERVICE, PORT = "mlflow", "mlflow", 5000


class ClusterRegistry(Registry):
    """See `Registry`. The forward lasts for one call, or for all calls inside one `with` statement of `hold`."""

    def __init__(self, access: Access, *, namespace: str = NAMESPACE, service: str = SERVICE, port: int = PORT) -> None:
        super().__init__(f"http://{service}.{namespace}:{port}")
        self._access = access
        self._namespace = namespace
        self._service = service
        self._port = port
        self._held: str | None = None

    @contextlib.contextmanager
    def hold(self) -> Iterator[str]:
        """Keep the forward open; yields MLflow's address on this machine.

        Raises:
            NotReadyError: MLflow does not run.
        """
        if self._held is not None:
            yield self._held
            return
        from platform_cli.cluster.forward import open_forward

        with contextlib.ExitStack() as stack:
            try:
                forward = open_forward(self._access, self._namespace, f"service/{self._service}", self._port)
                port = stack.enter_context(forward)
            except NotFoundError as error:
                raise NotReadyError(
                    f"MLflow does not run in namespace {self._namespace}: {error.message}", hint="run mlops deploy"
                ) from error
            # By address, not by name: MLflow compares the Host header with its list as text.
            self._held = f"http://127.0.0.1:{port}"
            try:
                yield self._held
            finally:
                self._held = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[str]:
        with self.hold() as uri:
            yield uri

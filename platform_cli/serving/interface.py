"""What serving models means, wherever it happens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from platform_cli.clouds.interface import ignore

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from platform_cli.events import Emit
    from platform_cli.tools.mlflow import ModelRef


class ServingState(StrEnum):
    """How a deployed model is right now."""

    READY = "ready"
    STARTING = "starting"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One deployed model.

    Attributes:
        version: the registered version that answers (or last answered, or should).
        reason: why it is in this state; empty when ready.
        url: the model's address in the Open Inference Protocol, such as `http://127.0.0.1:8500/v2/models/iris`.
        pids: processes behind it; empty when stopped.
        started: when the answering server started, Unix seconds; None when none runs.
        restarts: how often it came back by itself since it was deployed.
        log: what the server wrote; None on a cluster, which keeps it with the pods.
        pods: what it runs in on a cluster.
        outcome: what the call that returned this did: created, changed or unchanged; empty for a mere look.
    """

    name: str
    version: str
    state: ServingState
    reason: str
    url: str
    host: str
    port: int
    pids: tuple[int, ...]
    started: float | None
    restarts: int
    log: Path | None
    pods: tuple[str, ...] = ()
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a model on a cluster gets; None leaves it as it is, or at the default.

    Attributes:
        cpu: cores for each pod, such as `500m` or `2`.
        memory: of each pod, such as `1Gi`.
    """

    min_replicas: int | None = None
    max_replicas: int | None = None
    cpu: str | None = None
    memory: str | None = None


class Serving(Protocol):
    """Deploys registered models and tells how they are."""

    def deploy(
        self,
        ref: ModelRef,
        *,
        port: int | None = None,
        deadline_s: float = 120.0,
        size: Size | None = None,
        emit: Emit = ignore,
    ) -> Endpoint:
        """Serve a version of a model and wait until it answers its own example; safe to repeat.

        A version that runs already goes on answering until the new one is ready, and stays when that fails. What a
        person should know besides, such as that no pods will be added, is a Notice.

        Raises:
            NotFoundError: no such model, alias or version.
            ToolError: the server does not come up; `details` has its last log lines.
            DeadlineError: it is not ready in time.
            StateError: another command changes the same model.
            PreflightError: the port that was asked for is taken.
            UsageError: a port on a cluster, or a size on this machine.
            RefusedError: that size cannot work there.
        """

    def list(self) -> tuple[Endpoint, ...]:
        """All deployed models, by name."""

    def get(self, name: str) -> Endpoint:
        """One deployed model.

        Raises:
            NotFoundError: it is not deployed.
        """

    def connect(self, name: str) -> AbstractContextManager[str]:
        """The address of a deployed model that this machine can reach, as in `Endpoint.url`, while the context lasts.

        Raises:
            NotFoundError: it is not deployed.
        """

    def undeploy(self, name: str) -> None:
        """Stop serving a model and remove what was put there for it.

        Raises:
            NotFoundError: it is not deployed.
        """

    def restore(self) -> tuple[Endpoint, ...]:
        """Start again what should run and does not; returns every deployed model, with the outcome of each."""

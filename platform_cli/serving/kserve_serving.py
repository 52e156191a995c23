"""Models served by KServe on a cluster."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_cli.clouds.interface import ignore
from platform_cli.errors import (
    MlopsError,
    NotFoundError,
    NotReadyError,
    StateError,
    ToolError,
    UsageError,
)
from platform_cli.events import Notice
from platform_cli.serving.interface import Endpoint, ServingState, Size
from platform_cli.serving.kserve_gateway import Entrance, answers
from platform_cli.serving.kserve_inspection import (
    group_pods,
    inspect_service,
    is_ours,
    is_ready,
    is_same,
    place_of,
    read_model,
    refuse_foreign,
    suggest_service,
    version_of,
)
from platform_cli.serving.kserve_manifest import (
    INFERENCE_SERVICE,
    RUNTIME,
    SERVICE_LABEL,
    SPEC_HASH,
    Wish,
    build_disruption_budget,
    build_service,
    make_name,
    model_path,
)
from platform_cli.serving.kserve_removal import remove_service
from platform_cli.serving.kserve_rollout import Rollout
from platform_cli.serving.kserve_sizing import choose_sizing, drop_scaler, find_scaling_trouble
from platform_cli.serving.rows import Table
from platform_cli.tools.kubernetes_kind import POD

if TYPE_CHECKING:
    from platform_cli.events import Emit
    from platform_cli.tools.kubernetes import Kubernetes
    from platform_cli.tools.mlflow import ModelRef, ModelVersion, Registry

_PAUSE_S = 1.0
_REMOVAL_S, _ROLL_BACK_S = 120.0, 30.0
Retreat = Callable[[object, BaseException | None, object], None]
_NO_EXAMPLE = (
    "{version} has no input example that can be fetched: it says what it takes, and no prediction was tried; "
    "log_model(..., input_example=...) registers one"
)
_WEBHOOK = "does not answer"


class KServeServing:
    """See `interface.Serving`.

    Args:
        kubernetes: the cluster.
        registry: where the models are registered; pods fetch them from there by themselves.
        namespace: where models run.
        runtime: the ClusterServingRuntime that serves them.
        service_account: that their pods run as.
        prometheus: finds the URL, in the cluster, that KEDA can ask for request rates; empty when there is none.
        gateway: the Gateway in their namespace that leads to the models; empty: port-forwards do.
    """

    def __init__(
        self,
        kubernetes: Kubernetes,
        registry: Registry,
        *,
        namespace: str = "mlops",
        runtime: str = RUNTIME,
        service_account: str = "model-server",
        prometheus: Callable[[], str] = str,
        gateway: str = "",
    ) -> None:
        self._kubernetes = kubernetes
        self._registry = registry
        self._namespace = namespace
        self._runtime = runtime
        self._service_account = service_account
        self._prometheus = prometheus
        self._entrance = Entrance(kubernetes, namespace, gateway)

    def deploy(
        self,
        ref: ModelRef,
        *,
        port: int | None = None,
        deadline_s: float = 120.0,
        size: Size | None = None,
        emit: Emit = ignore,
    ) -> Endpoint:
        """See `Serving.deploy`."""
        if port is not None:
            raise UsageError(
                "a model on a cluster has no port of its own",
                hint=f"bring it to this machine: mlops port-forward model/{ref.name} --port {port}",
            )
        deadline = time.monotonic() + deadline_s
        self._require_kserve()
        version = self._registry.resolve(ref)
        before = self._find(version.name)
        if before is not None and not is_ours(before):
            raise refuse_foreign(before)
        wish = self._wish(version.name, version.version, before, size or Size())
        service = build_service(wish)
        self._warn(wish, emit)
        if before is not None and is_same(before, service) and self._entrance.is_routed(before):
            present = self._inspect(before)
            if present.state is ServingState.READY and not present.reason:
                return replace(present, outcome="unchanged")
        self._roll_out(wish, version, before, deadline, emit)
        done = self.get(version.name)
        return replace(done, outcome="created" if before is None else "changed")

    def list(self) -> tuple[Endpoint, ...]:
        """See `Serving.list`. Two lists of the API, in pages, however many models there are; routes are one more."""
        pods = group_pods(self._kubernetes.list(POD, self._namespace, labels=SERVICE_LABEL))
        services = self._kubernetes.list(INFERENCE_SERVICE, self._namespace)
        urls = self._entrance.find_urls()
        found = [
            inspect_service(service, pods[place_of(service)], outside=urls.get(service["metadata"]["name"], ""))
            for service in services
        ]
        return tuple(sorted(found, key=lambda endpoint: endpoint.name))

    def get(self, name: str) -> Endpoint:
        """See `Serving.get`."""
        return self._inspect(self._require(name))

    @contextlib.contextmanager
    def connect(self, name: str) -> Iterator[str]:
        """See `Serving.connect`. Through the gateway if the model answers there, else through a port-forward."""
        service = self._require(name)
        resource, model = service["metadata"]["name"], read_model(service)[0]
        outside = self._entrance.find_urls(resource).get(resource)
        if outside and answers(url := f"{outside}{model_path(model)}", model):
            yield url
            return
        with self._forward(f"service/{resource}-predictor", 80) as port:
            yield f"http://127.0.0.1:{port}{model_path(model)}"

    def undeploy(self, name: str) -> None:
        """See `Serving.undeploy`.

        Raises:
            DeadlineError: KServe's controller does not let it go.
        """
        service = self._require(name)
        remove_service(self._kubernetes, self._namespace, service["metadata"]["name"], within_s=_REMOVAL_S)

    def restore(self) -> tuple[Endpoint, ...]:
        """See `Serving.restore`. The cluster itself starts again what should run: nothing is left to do."""
        return tuple(replace(endpoint, outcome="unchanged") for endpoint in self.list())

    def _wish(self, model: str, version: str, before: Mapping[str, Any] | None, size: Size) -> Wish:
        sizing = choose_sizing(self._kubernetes, size, before, prometheus=self._prometheus)
        return Wish(
            model=model,
            version=version,
            namespace=self._namespace,
            runtime=self._runtime,
            service_account=self._service_account,
            sizing=sizing,
        )

    def _warn(self, wish: Wish, emit: Emit) -> None:
        for text in (find_scaling_trouble(self._kubernetes, wish.sizing), self._entrance.trouble):
            if text:
                emit(Notice(level="warning", text=text))

    def _roll_out(
        self, wish: Wish, version: ModelVersion, before: Mapping[str, Any] | None, deadline: float, emit: Emit
    ) -> None:
        answering = "" if before is None else self._answering(wish.name)
        with contextlib.ExitStack() as undo:
            undo.push(self._plan_retreat(wish, before, answering))
            service = self._apply(build_service(wish), deadline)
            if before is not None:
                drop_scaler(self._kubernetes, before, service)
            self._kubernetes.apply(build_disruption_budget(service))
            self._entrance.route(service)
            self._await_answer(wish, service, version, deadline, emit)
            undo.pop_all()

    def _plan_retreat(self, wish: Wish, before: Mapping[str, Any] | None, answering: str) -> Retreat:
        """What a failed or interrupted deploy ends with; when that fails as well, the error says both."""

        def retreat(_kind: object, error: BaseException | None, _trace: object) -> None:
            # Somebody else's version is on its way: it is theirs now.
            if isinstance(error, StateError):
                return
            try:
                self._roll_back(wish, before, answering)
            except MlopsError as failure:
                if not isinstance(error, MlopsError):
                    raise
                told = f"what was there before is not back: {failure.message}"
                error.details = (*error.details, told, *((failure.hint,) if failure.hint else ()))

        return retreat

    def _await_answer(
        self, wish: Wish, service: Mapping[str, Any], version: ModelVersion, deadline: float, emit: Emit
    ) -> None:
        spec_hash = service["metadata"]["annotations"][SPEC_HASH]
        rollout = Rollout(self._kubernetes, wish, spec_hash, deadline_s=deadline - time.monotonic())
        rollout.wait()
        example = self._registry.fetch_example(version)
        if not example:
            emit(Notice(level="warning", text=_NO_EXAMPLE.format(version=f"{version.name}/{version.version}")))
        rollout.ask(self._forward, Table(example) if example else None)

    def _apply(self, service: Mapping[str, Any], deadline: float) -> Mapping[str, Any]:
        """Apply it; a controller that restarts, and with it the webhook that checks it, is waited for."""
        while True:
            try:
                return self._kubernetes.apply(service)
            except ToolError as error:
                if _WEBHOOK not in error.message or time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_S)

    def _roll_back(self, wish: Wish, before: Mapping[str, Any] | None, answering: str) -> None:
        """After a failed deploy: what was served before goes on as it was; what was not is taken away again."""
        if before is None:
            # The next deploy must not find, and change, what is on its way out.
            remove_service(self._kubernetes, self._namespace, wish.name, within_s=_ROLL_BACK_S, pods=False)
            return
        # A deploy that was killed leaves a version that never answered; the one that does is meant.
        version = answering or read_model(before)[1]
        if not version:
            raise NotFoundError(f"{wish.name} named no version that it served", hint="mlops model get tells how it is")
        self._kubernetes.apply(build_service(self._wish(wish.model, version, before, Size())))

    def _answering(self, name: str) -> str:
        """The version that takes requests now; empty when none does."""
        pods = self._kubernetes.list(POD, self._namespace, labels=f"{SERVICE_LABEL}={name}")
        return max((version_of(pod) for pod in pods if is_ready(pod)), default="")

    def _forward(self, target: str, port: int) -> contextlib.AbstractContextManager[int]:
        from platform_cli.cluster.forward import open_forward

        return open_forward(self._kubernetes.access, self._namespace, target, port)

    def _require_kserve(self) -> None:
        if self._kubernetes.find_kind(INFERENCE_SERVICE.api_version, INFERENCE_SERVICE.kind) is None:
            raise NotReadyError("KServe is not installed on this cluster", hint="run mlops deploy")

    def _find(self, model: str) -> dict[str, Any] | None:
        return self._kubernetes.get(INFERENCE_SERVICE, make_name(model), self._namespace)

    def _require(self, model: str) -> dict[str, Any]:
        found = self._find(model)
        if found is not None:
            return found
        services = list(self._kubernetes.list(INFERENCE_SERVICE, self._namespace))
        known = {read_model(service)[0]: service for service in services}
        if model in known:
            return known[model]
        raise suggest_service(model, services)

    def _inspect(self, service: Mapping[str, Any]) -> Endpoint:
        labels = f"{SERVICE_LABEL}={service['metadata']['name']}"
        pods = list(self._kubernetes.list(POD, self._namespace, labels=labels))
        name = service["metadata"]["name"]
        return inspect_service(service, pods, outside=self._entrance.find_urls(name).get(name, ""))

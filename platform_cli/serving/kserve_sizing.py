"""How many pods a model gets, how large, and what adds pods: what was asked for, else what it has, else defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_cli.errors import NotFoundError, RefusedError, UsageError
from platform_cli.serving.kserve_manifest import AUTOSCALER, Sizing

if TYPE_CHECKING:
    from platform_cli.serving.interface import Size
    from platform_cli.tools.kubernetes import Kubernetes

_CPU = re.compile(r"[1-9][0-9]*m|[0-9]+(\.[0-9]+)?")
_MEMORY = re.compile(r"[1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)?")
_DEFAULT = Sizing()
_SCALERS = {
    "hpa": ("autoscaling/v2", "HorizontalPodAutoscaler"),
    "keda": ("keda.sh/v1alpha1", "ScaledObject"),
}
_METRICS, _EXTERNAL_METRICS = "metrics.k8s.io", "external.metrics.k8s.io"


def choose_sizing(
    kubernetes: Kubernetes, size: Size, before: Mapping[str, Any] | None, *, prometheus: Callable[[], str]
) -> Sizing:
    """The sizing of a model.

    Args:
        kubernetes: asked whether KEDA is there.
        size: what was asked for.
        before: the model's present InferenceService.
        prometheus: finds the URL that KEDA can ask for request rates; empty when there is none.

    Raises:
        UsageError: a figure makes no sense.
        RefusedError: no pods at all, with nothing that could wake the model.
    """
    sizing = _merge(size, _read_sizing(before))
    _check(sizing)
    if sizing.min_replicas == sizing.max_replicas:
        return replace(sizing, autoscaler="none")
    url = prometheus() if _has_keda(kubernetes) else ""
    return replace(sizing, autoscaler="keda" if url else "hpa", prometheus=url)


def find_scaling_trouble(kubernetes: Kubernetes, sizing: Sizing) -> str:
    """Why no pods will be added although they may be; empty when they will."""
    if sizing.autoscaler != "hpa" or _serves(kubernetes, _METRICS):
        return ""
    return (
        f"no pods are added beyond {sizing.min_replicas}: nothing on the cluster measures processor time ({_METRICS}); "
        "install metrics-server, or have KEDA and Prometheus (mlops deploy), or say --max-replicas as --min-replicas"
    )


def drop_scaler(kubernetes: Kubernetes, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Take away what added pods before, when that is something else now: KServe leaves it, and both would pull."""
    old, new = (item["metadata"].get("annotations", {}).get(AUTOSCALER) for item in (before, after))
    if old == new or old not in _SCALERS:
        return
    kind = kubernetes.find_kind(*_SCALERS[old])
    if kind is not None:
        metadata = after["metadata"]
        kubernetes.delete(kind, f"{metadata['name']}-predictor", metadata["namespace"])


def _merge(size: Size, present: Sizing) -> Sizing:
    least = present.min_replicas if size.min_replicas is None else size.min_replicas
    most = present.max_replicas if size.max_replicas is None else size.max_replicas
    # Only one end was asked for: the other one follows.
    if size.max_replicas is None:
        most = max(most, least)
    elif size.min_replicas is None:
        least = min(most, least)
    return Sizing(
        min_replicas=least, max_replicas=most, cpu=size.cpu or present.cpu, memory=size.memory or present.memory
    )


def _read_sizing(service: Mapping[str, Any] | None) -> Sizing:
    predictor = service["spec"].get("predictor") or {} if service else {}
    requests = ((predictor.get("model") or {}).get("resources") or {}).get("requests") or {}
    return Sizing(
        min_replicas=predictor.get("minReplicas", _DEFAULT.min_replicas),
        max_replicas=predictor.get("maxReplicas", _DEFAULT.max_replicas),
        cpu=requests.get("cpu", _DEFAULT.cpu),
        memory=requests.get("memory", _DEFAULT.memory),
    )


def _check(sizing: Sizing) -> None:
    if sizing.min_replicas == 0:
        raise RefusedError(
            "a model on this cluster needs at least one pod: nothing here would wake it at the first request",
            hint="KServe in Standard mode has no activator, and KEDA counts requests on the pods; --min-replicas 1",
        )
    if sizing.max_replicas < sizing.min_replicas:
        raise UsageError(
            f"--max-replicas {sizing.max_replicas} is less than --min-replicas {sizing.min_replicas}",
            hint="give a range, such as --min-replicas 1 --max-replicas 3",
        )
    for option, pattern, text in (("--cpu", _CPU, sizing.cpu), ("--memory", _MEMORY, sizing.memory)):
        if not pattern.fullmatch(str(text)) or not str(text).strip("0.m"):
            example = "500m or 2" if option == "--cpu" else "512Mi or 2Gi"
            raise UsageError(f"{option} '{text}' is no quantity", hint=f"write it as Kubernetes does: {example}")


def _has_keda(kubernetes: Kubernetes) -> bool:
    """Whether it runs: its definitions stay when it goes, what it answers for the autoscaler does not."""
    return kubernetes.find_kind(*_SCALERS["keda"]) is not None and _serves(kubernetes, _EXTERNAL_METRICS)


def _serves(kubernetes: Kubernetes, group: str) -> bool:
    """Whether a group is registered. The API itself says so, whether or not who serves the group is well."""
    from platform_cli.tools.kubernetes_transport import Request

    request = Request(method="GET", path=f"/apis/{group}", verb="get", what=f"the versions of {group}")
    try:
        kubernetes.transport.send(request)
    except NotFoundError:
        return False
    return True

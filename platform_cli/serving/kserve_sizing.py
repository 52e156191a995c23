"""How many pods a model gets, how large, and what adds pods: what was asked for, else what it has, else defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_cli.errors import RefusedError, UsageError
from platform_cli.serving.kserve_manifest import Sizing

if TYPE_CHECKING:
    from platform_cli.serving.interface import Size
    from platform_cli.tools.kubernetes import Kubernetes

_CPU = re.compile(r"[1-9][0-9]*m|[0-9]+(\.[0-9]+)?")
_MEMORY = re.compile(r"[1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)?")
_DEFAULT = Sizing()
_KEDA = ("keda.sh/v1alpha1", "ScaledObject")


def choose_sizing(kubernetes: Kubernetes, size: Size, before: Mapping[str, Any] | None, *, prometheus: str) -> Sizing:
    """The sizing of a model.

    Args:
        kubernetes: asked whether KEDA is there.
        size: what was asked for.
        before: the model's present InferenceService.
        prometheus: URL that KEDA can ask for request rates; empty when there is none.

    Raises:
        UsageError: a figure makes no sense.
        RefusedError: no pods at all, with nothing that could wake the model.
    """
    sizing = _merge(size, _read_sizing(before))
    _check(sizing)
    return replace(sizing, autoscaler=_choose_autoscaler(kubernetes, sizing, prometheus), prometheus=prometheus)


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


def _choose_autoscaler(kubernetes: Kubernetes, sizing: Sizing, prometheus: str) -> str:
    if sizing.min_replicas == sizing.max_replicas:
        return "none"
    if prometheus and kubernetes.find_kind(*_KEDA) is not None:
        return "keda"
    return "hpa"

"""What can be brought to this machine: where it runs on a cluster, and how one logs in. The only such list."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from platform_cli.errors import UsageError
from platform_cli.serving.kserve_manifest import make_name, model_path

ALL = "all"
MODEL_PREFIX = "model/"
MODEL_NAMESPACE = "mlops"
_MODEL_PORT, _MODEL_LOCAL_PORT = 80, 8500
# What Kubernetes takes as a name.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Login:
    """A Secret that has a password: `user` is a name, or with `user_key` a key of the Secret."""

    secret: str
    password_key: str
    user: str = ""
    user_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One dashboard or model.

    Attributes:
        name: what people call it.
        namespace: where it runs.
        candidates: names that its Kubernetes Service may have, the platform's own first.
        labels: selector that finds the Service where somebody else installed it under another name.
        port: port of that Service.
        local_port: the port that people expect on their machine.
        logins: Secrets that may have the password, in the order in which they count; none: no password is asked.
        account: of a page that asks for a token of Kubernetes: a service account that may do all that the page can.
        path: of the page or model, below the address.
    """

    name: str
    namespace: str
    candidates: tuple[str, ...]
    labels: str = ""
    port: int
    local_port: int
    logins: tuple[Login, ...] = ()
    account: str = ""
    path: str = ""


DASHBOARDS: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service(
            name="mlflow",
            namespace="mlflow",
            candidates=("mlflow",),
            labels="app.kubernetes.io/name=mlflow",
            port=5000,
            local_port=5000,
        ),
        Service(
            name="argocd",
            namespace="argocd",
            candidates=("argocd-server", "argo-cd-argocd-server"),
            labels="app.kubernetes.io/name=argocd-server",
            port=80,
            local_port=8080,
            logins=(
                Login("argo-cd-admin", "password", user_key="username"),
                Login("argocd-initial-admin-secret", "password", user="admin"),
            ),
        ),
        Service(
            name="grafana",
            namespace="monitoring",
            candidates=("kube-prometheus-stack-grafana", "grafana"),
            labels="app.kubernetes.io/name=grafana",
            port=80,
            local_port=3000,
            logins=(
                Login("grafana-admin", "admin-password", user_key="admin-user"),
                Login("kube-prometheus-stack-grafana", "admin-password", user_key="admin-user"),
            ),
        ),
        Service(
            name="argo-wf",
            namespace="argo",
            candidates=("argo-workflows-server", "argo-server"),
            labels="app.kubernetes.io/component=server,app.kubernetes.io/part-of=argo-workflows",
            port=2746,
            local_port=2746,
            account="argo-workflows-server",
        ),
        Service(
            name="prometheus",
            namespace="monitoring",
            candidates=("kube-prometheus-stack-prometheus", "prometheus-operated"),
            labels="operated-prometheus=true",
            port=9090,
            local_port=9090,
        ),
    )
}


def find_services(names: Sequence[str], known: Mapping[str, Service] = DASHBOARDS) -> tuple[Service, ...]:
    """The services of these names, each once; `all` stands for every dashboard, `model/NAME` for a deployed model.

    Raises:
        UsageError: there is no such dashboard.
    """
    require_known(names, known)
    wanted = [each for name in names for each in (known if name == ALL else (name,))]
    return tuple(known.get(name) or _model(name) for name in dict.fromkeys(wanted))


def require_known(names: Sequence[str], known: Mapping[str, Service] = DASHBOARDS) -> None:
    """Refuse a name that is no dashboard's and no model's.

    Raises:
        UsageError: there is no such dashboard.
    """
    offered = (ALL, *known)
    for name in names:
        if name in offered or (name.startswith(MODEL_PREFIX) and name != MODEL_PREFIX):
            continue
        near = difflib.get_close_matches(name, offered, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(offered)} and {MODEL_PREFIX}NAME"
        raise UsageError(f"there is no dashboard {name}", hint=hint)


def _model(name: str) -> Service:
    """A model's Service: the name that deploying it gives, or, where somebody else made it, the model's own."""
    model = name.removeprefix(MODEL_PREFIX)
    others = (f"{model}-predictor", model) if _NAME.fullmatch(model) else ()
    return Service(
        name=name,
        namespace=MODEL_NAMESPACE,
        candidates=tuple(dict.fromkeys((f"{make_name(model)}-predictor", *others))),
        port=_MODEL_PORT,
        local_port=_MODEL_LOCAL_PORT,
        path=model_path(model),
    )

"""The tree that Argo CD reads: one root application, one application per component, the same list, the same values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.application import PART_OF, Delegation
from platform_cli.cluster.chart import find_chart
from platform_cli.cluster.value import build_values
from platform_cli.errors import ConfigError

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.config import Config

Tree = Mapping[str, str]
"""Content of each file by its path in the tree."""

ARGO_CD = "argo-cd"
PROJECT = "mlops"
_NAMESPACE = "argocd"
_SERVER = "https://kubernetes.default.svc"
_HEADER = "# Written by `mlops gitops render`; change platform.yaml, not this file.\n"
_OURS = ("applications", "charts", "values")
_WAVE = "argocd.argoproj.io/sync-wave"
# What controllers write into objects is no drift.
_WEBHOOKS = [
    {
        "group": "admissionregistration.k8s.io",
        "kind": kind,
        "jqPathExpressions": [".webhooks[]?.clientConfig.caBundle", ".webhooks[]?.failurePolicy"],
    }
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
]
_CONVERSION = {
    "group": "apiextensions.k8s.io",
    "kind": "CustomResourceDefinition",
    "jqPathExpressions": [".spec.conversion.webhook.clientConfig.caBundle"],
}


def list_bootstrap(components: Iterable[Component]) -> tuple[Component, ...]:
    """What the command line itself installs with GitOps: Argo CD and what it needs."""
    known = {component.name: component for component in components}
    wanted: set[str] = set()

    def visit(name: str) -> None:
        if name in known and name not in wanted:
            wanted.add(name)
            for need in known[name].needs:
                visit(need)

    visit(ARGO_CD)
    return tuple(component for component in known.values() if component.name in wanted)


def delegate(components: Iterable[Component], config: Config) -> Delegation:
    """What is left to Argo CD; nothing without GitOps.

    Raises:
        ConfigError: `gitops.repository` is not set.
    """
    if not config.gitops.enabled:
        return Delegation()
    everything = tuple(components)
    ours = list_bootstrap(everything)
    left = tuple(component for component in everything if component not in ours)
    require_repository(config)
    objects = (_make_project(left, config), _make_root(config))
    return Delegation(root=config.name, namespace=_NAMESPACE, components=left, objects=objects)


def require_repository(config: Config) -> None:
    """Raises `ConfigError` when `gitops.repository` is not set."""
    if config.gitops.repository is None:
        raise ConfigError("gitops.repository is not set", hint="set it to the URL of the repository that Argo CD reads")


def render_tree(components: Iterable[Component], config: Config, outputs: ClusterOutputs) -> dict[str, str]:
    """Every file of the tree; what the command line itself installs is not in it.

    The same input gives the same bytes, whenever and wherever.

    Raises:
        ConfigError: `gitops.repository` is not set.
    """
    require_repository(config)
    everything = tuple(components)
    ours = list_bootstrap(everything)
    components = tuple(component for component in everything if component not in ours)
    waves = list_waves(components)
    tree = {"root.yaml": _dump(_make_root(config)), "project.yaml": _dump(_make_project(components, config))}
    for component in components:
        application = _make_application(component, config, waves[component.name])
        tree[f"applications/{component.name}.yaml"] = _dump(application)
        tree[f"values/{component.name}.yaml"] = _dump(build_values(component, config, outputs))
        if component.is_ours:
            tree |= _copy_chart(component, config)
    return dict(sorted(tree.items()))


def write_tree(tree: Tree, folder: Path) -> tuple[str, ...]:
    """Write the tree; files in our folders that are no longer of it go. Returns what changed, sorted."""
    changed = []
    for name, text in tree.items():
        path = folder / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    for path in _list_ours(folder):
        name = path.relative_to(folder).as_posix()
        if name not in tree:
            path.unlink()
            changed.append(name)
    return tuple(sorted(changed))


def list_waves(components: Iterable[Component]) -> dict[str, int]:
    """For each component how many must be healthy one after the other before it: its sync wave."""
    known = {component.name: component for component in components}

    @cache
    def depth(name: str) -> int:
        return max((depth(need) + 1 for need in known[name].needs if need in known), default=0)

    return {name: depth(name) for name in known}


def _make_root(config: Config) -> dict[str, Any]:
    source = {
        "repoURL": config.gitops.repository,
        "targetRevision": config.gitops.revision,
        "path": f"{config.gitops.path}/applications",
    }
    spec = {
        "project": PROJECT,
        "source": source,
        "destination": {"server": _SERVER, "namespace": _NAMESPACE},
        "syncPolicy": _make_policy(),
    }
    return _make_object("Application", config.name, spec)


def _make_project(components: Iterable[Component], config: Config) -> dict[str, Any]:
    repositories = {component.repository.removeprefix("oci://") for component in components if not component.is_ours}
    namespaces = {component.namespace for component in components} | {_NAMESPACE}
    everything = [{"group": "*", "kind": "*"}]
    spec = {
        "description": "The platform's components.",
        "sourceRepos": sorted({*repositories, str(config.gitops.repository), *_mirror(config)}),
        # Charts put objects into namespaces of others: roles, monitors, settings.
        "destinations": [{"server": _SERVER, "namespace": name} for name in sorted({*namespaces, "kube-system"})],
        "clusterResourceWhitelist": everything,
    }
    return _make_object("AppProject", PROJECT, spec)


def _mirror(config: Config) -> set[str]:
    return {config.charts.url.removeprefix("oci://")} if config.charts.url else set()


def _make_application(component: Component, config: Config, wave: int) -> dict[str, Any]:
    spec = {
        "project": PROJECT,
        "sources": _list_sources(component, config),
        "destination": {"server": _SERVER, "namespace": component.namespace},
        "syncPolicy": _make_policy(prunes=component.is_release),
        "ignoreDifferences": [*_WEBHOOKS, _CONVERSION],
    }
    application = _make_object("Application", component.name, spec)
    application["metadata"]["annotations"] = {_WAVE: str(wave)}
    if component.is_release:
        # Deleting an application takes what it made along, as `helm uninstall` would.
        application["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    return application


def _list_sources(component: Component, config: Config) -> list[dict[str, Any]]:
    """The chart, and the repository as the place of its values."""
    values = {"repoURL": config.gitops.repository, "targetRevision": config.gitops.revision, "ref": "values"}
    helm = {
        "releaseName": component.release,
        "valueFiles": [f"$values/{config.gitops.path}/values/{component.name}.yaml"],
    }
    if component.is_ours:
        chart = {
            "repoURL": config.gitops.repository,
            "targetRevision": config.gitops.revision,
            "path": f"{config.gitops.path}/charts/{component.chart}",
        }
    else:
        repository = config.charts.url if config.charts.source == "oci" else component.repository
        # Argo CD tells an OCI registry by the absence of a scheme.
        url = str(repository).removeprefix("oci://")
        chart = {"repoURL": url, "chart": component.chart, "targetRevision": component.version}
    return [{**chart, "helm": helm}, values]


def _make_policy(*, prunes: bool = True) -> dict[str, Any]:
    options = ["CreateNamespace=true", "RespectIgnoreDifferences=true", "ServerSideApply=true"]
    retry = {"limit": 5, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "3m"}}
    return {"automated": {"prune": prunes, "selfHeal": True}, "syncOptions": options, "retry": retry}


def _make_object(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": _NAMESPACE, "labels": dict(PART_OF)}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _copy_chart(component: Component, config: Config) -> dict[str, str]:
    chart = find_chart(component, config.charts)
    files = sorted(path for path in chart.rglob("*") if path.is_file())
    return {f"charts/{component.chart}/{path.relative_to(chart).as_posix()}": path.read_text("utf-8") for path in files}


def _list_ours(folder: Path) -> list[Path]:
    return sorted(path for name in _OURS for path in (folder / name).rglob("*") if path.is_file())


def _dump(document: Mapping[str, Any]) -> str:
    """YAML in the order that is given, long texts as blocks, nothing by reference."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
            return True

    def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent_text)
    return _HEADER + yaml.dump(dict(document), Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)

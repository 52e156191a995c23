"""What is installed for each component: its chart, the values for this target, and its CRDs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.work import KubernetesObject
from platform_cli.stage import digest_of

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One component, ready to be installed.

    Attributes:
        chart: folder or archive.
        values: for this target; no secret is in them, only names of Secrets.
        crds: what must be applied before, since Helm leaves it alone.
    """

    component: Component
    chart: Path
    values: Mapping[str, Any]
    crds: tuple[KubernetesObject, ...] = ()

    @property
    def inputs(self) -> str:
        """SHA-256 of chart and values."""
        return digest_of([digest_chart(self.chart), dict(self.values)])

    @property
    def crd_digests(self) -> dict[str, str]:
        """SHA-256 of each CRD, by name."""
        return {crd["metadata"]["name"]: digest_of(crd) for crd in self.crds}


def digest_chart(chart: Path) -> str:
    """SHA-256 of everything in a chart, whether it is a folder or an archive."""
    if chart.is_file():
        return digest_of(chart.read_bytes().hex())
    files = sorted(path for path in chart.rglob("*") if path.is_file())
    return digest_of([(path.relative_to(chart).as_posix(), path.read_bytes().hex()) for path in files])


def list_workloads(packages: Sequence[Package]) -> tuple[str, ...]:
    """Every workload that proves a component, as `namespace/kind/name`."""
    return tuple(
        f"{package.component.namespace}/{workload}" for package in packages for workload in package.component.health
    )


def open_packages(components: Sequence[Component], config: Config, outputs: ClusterOutputs) -> tuple[Package, ...]:
    """The components with their charts, wherever those come from, and their values.

    Raises:
        ConfigError: the charts' place is not given.
        PreflightError: a chart is not there.
    """
    from platform_cli.cluster.chart import find_chart, list_crds
    from platform_cli.cluster.value import build_values

    charts = {component.name: find_chart(component, config.charts) for component in components}
    return tuple(
        Package(
            component=component,
            chart=charts[component.name],
            values=build_values(component, config, outputs),
            crds=tuple(list_crds(charts[component.name])),
        )
        for component in components
    )

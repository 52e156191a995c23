"""What is installed for each component: its chart, the values for this target, and its CRDs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.adopted import NOTHING_ADOPTED, Adopted
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
        values: for this target; no secret is in them, only names of Secrets. None while the infrastructure that they
            follow from is not there: then the chart is not looked for either.
        crds: what must be applied before, since Helm leaves it alone.
    """

    component: Component
    chart: Path
    values: Mapping[str, Any] | None
    crds: tuple[KubernetesObject, ...] = ()

    @property
    def inputs(self) -> str:
        """SHA-256 of chart and values; empty while the values are not known."""
        if self.values is None:
            return ""
        return digest_of([digest_chart(self.chart), dict(self.values)])

    @property
    def brings_crds(self) -> bool:
        """Whether there are CRDs to apply, or may be, as far as is known."""
        return bool(self.component.crds if self.values is None else self.crds)

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


def list_workloads(packages: Sequence[Package]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every component with the workloads that prove it, as `namespace/kind/name`."""
    components = [package.component for package in packages]
    return tuple((item.name, tuple(f"{item.namespace}/{name}" for name in item.health)) for item in components)


def open_packages(
    components: Sequence[Component],
    config: Config,
    outputs: ClusterOutputs,
    *,
    known: bool = True,
    adopted: Adopted = NOTHING_ADOPTED,
) -> tuple[Package, ...]:
    """The components with their charts, wherever those come from, and, when the outputs are `known`, their values.

    `adopted` is what somebody else runs on the cluster.

    Raises:
        ConfigError: the charts' place is not given.
        PreflightError: a chart is not there.
    """
    return tuple(
        _open_package(component, config, outputs, adopted) if known else _expect(component) for component in components
    )


def _open_package(component: Component, config: Config, outputs: ClusterOutputs, adopted: Adopted) -> Package:
    from platform_cli.cluster.chart import find_chart
    from platform_cli.cluster.value import build_values
    from platform_cli.cluster.value_check import require_known_values

    chart = find_chart(component, config.charts)
    require_known_values(component, config.components.values.get(component.name, {}), chart)
    values = build_values(component, config, outputs, adopted=adopted)
    return Package(component=component, chart=chart, values=values, crds=find_crds(component, chart, values))


def find_crds(component: Component, chart: Path, values: Mapping[str, Any]) -> tuple[KubernetesObject, ...]:
    """What must be applied besides the release: the chart's `crds` folder, or all that a chart of definitions makes.

    Raises:
        ToolError: a chart of definitions makes something else as well.
    """
    from platform_cli.tools.helm_crds import list_crds, render_crds

    found = list_crds(chart)
    if component.is_release:
        return found
    return (*found, *render_crds(chart, name=component.release, namespace=component.namespace, values=values))


def _expect(component: Component) -> Package:
    return Package(component=component, chart=Path(component.chart), values=None)

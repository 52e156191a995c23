"""A component's values: what is alike everywhere, what differs on a cloud, what the outputs say, what the user says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.adopted import NOTHING_ADOPTED, Adopted
from platform_cli.cluster.component import Component, read_components, select_components
from platform_cli.cluster.value_mapping import map_values
from platform_cli.cluster.value_site import Site, merge
from platform_cli.layout import find_assets
from platform_cli.tools.helm_manifest import load_yaml

if TYPE_CHECKING:
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.config import Config

_HELM = Path("infrastructure", "helm")


def build_values(
    component: Component,
    config: Config,
    outputs: ClusterOutputs,
    *,
    assets: Path | None = None,
    adopted: Adopted = NOTHING_ADOPTED,
) -> dict[str, Any]:
    """The values that a component is installed with; no secret is in them, only names of Secrets.

    Args:
        component: one of those that are selected for this target.
        config: its `components.values` win over everything.
        outputs: of the infrastructure.
        assets: the product's own folder; None means where it is installed.
        adopted: what somebody else runs on the cluster.
    """
    assets = assets or find_assets()
    helm = assets / _HELM
    components = select_components(_read(helm / "releases.yaml"), config, outputs)
    site = Site(config=config, outputs=outputs, components=components, assets=assets, adopted=adopted)
    values: dict[str, Any] = {}
    for layer in (
        read_values(helm / "common" / f"{component.name}.yaml"),
        read_values(helm / outputs.cloud / f"{component.name}.yaml"),
        map_values(component.name, site),
        config.components.values.get(component.name, {}),
    ):
        values = merge(values, layer)
    return values


@cache
def _read(path: Path) -> tuple[Component, ...]:
    return read_components(path)


def read_values(path: Path) -> dict[str, Any]:
    """A file of values; empty when there is none, since most components need none on most clouds."""
    try:
        return load_yaml(path.read_text("utf-8")) or {}
    except FileNotFoundError:
        return {}

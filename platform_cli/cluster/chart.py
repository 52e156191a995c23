"""Where a component's chart is: part of the product, in a folder, in its repository, or in one OCI registry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.errors import ConfigError, PreflightError
from platform_cli.layout import find_assets
from platform_cli.tools.helm_crds import list_crds

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.config import Charts

__all__ = ["cache_folder", "find_chart", "list_crds", "locate", "read_metadata"]

_FOLDER_HINT = (
    "set charts.path to a folder with NAME/Chart.yaml or NAME-VERSION.tgz, such as `mlops charts mirror` makes"
)


def find_chart(component: Component, charts: Charts, *, environ: Mapping[str, str] | None = None) -> Path:
    """A component's chart on this machine, as a folder or an archive; it is downloaded when it has to be.

    Raises:
        ConfigError: `charts.path` or `charts.url` is needed and not set.
        PreflightError: the chart is not there, is another version, or not what the bundle's checksums say.
        ToolError: it cannot be downloaded.
    """
    if component.is_ours:
        return find_assets() / "infrastructure" / "helm" / "charts" / component.chart
    if charts.source == "folder":
        return _find_in_folder(component, charts)
    kept = cache_folder(os.environ if environ is None else environ) / f"{component.chart}-{component.version}.tgz"
    if not kept.is_file():
        _download(component, charts, kept)
    return kept


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where downloaded charts are kept: a version's content never changes."""
    root = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".cache"
    return Path(root) / "mlops" / "charts"


def locate(component: Component, charts: Charts) -> tuple[str, str]:
    """What a chart is called at its source, and the repository's URL; the latter is empty with OCI.

    Raises:
        ConfigError: `charts.url` is needed and not set.
    """
    if charts.source == "oci":
        if charts.url is None:
            raise ConfigError("charts.source is oci, and charts.url is not set", hint="set charts.url to oci://…")
        return f"{charts.url.rstrip('/')}/{component.chart}", ""
    if component.repository.startswith("oci://"):
        return f"{component.repository}/{component.chart}", ""
    return component.chart, component.repository


def read_metadata(chart: Path) -> dict[str, Any]:
    """A chart's Chart.yaml, from a folder or an archive.

    Raises:
        PreflightError: it is no chart.
    """
    import tarfile

    import yaml

    try:
        if chart.is_dir():
            text = (chart / "Chart.yaml").read_text("utf-8")
        else:
            with tarfile.open(chart) as archive:
                member = next(
                    item for item in archive if item.name.count("/") == 1 and item.name.endswith("/Chart.yaml")
                )
                file = archive.extractfile(member)
                text = file.read().decode() if file else ""
        found = yaml.safe_load(text)
    except (OSError, tarfile.TarError, StopIteration, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PreflightError(f"{chart}: this is no chart: {error}", hint="get it again") from error
    return found if isinstance(found, dict) else {}


def _find_in_folder(component: Component, charts: Charts) -> Path:
    if charts.path is None:
        raise ConfigError("charts.source is folder, and charts.path is not set", hint=_FOLDER_HINT)
    root = Path(charts.path).expanduser()
    archive = f"{component.chart}-{component.version}.tgz"
    places = (root / component.chart, root / archive, root / "charts" / component.chart, root / "charts" / archive)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise PreflightError(
            f"{component.name}: no chart {component.chart} {component.version} in {root}", hint=_FOLDER_HINT
        )
    version = str(read_metadata(found).get("version", ""))
    if version.removeprefix("v") != component.version.removeprefix("v"):
        raise PreflightError(
            f"{component.name}: {found} is version {version or 'unknown'}, wanted is {component.version}",
            hint="mlops charts mirror brings the right one",
        )
    from platform_cli.cluster.bundle import verify_file

    verify_file(root, found)
    return found


def _download(component: Component, charts: Charts, kept: Path) -> None:
    """Download beside its place and move it there whole: a killed download leaves nothing that looks like a chart."""
    import tempfile

    from platform_cli.tools.helm_pull import pull

    reference, repository = locate(component, charts)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".new-") as folder:
        pull(reference, repository=repository, version=component.version, folder=Path(folder)).replace(kept)

"""Holds values against the chart that takes them: Helm itself ignores a key that a chart does not know."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.value_site import merge
from platform_cli.errors import ConfigError, PreflightError
from platform_cli.tools.helm_manifest import load_yaml

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component

_EVERY_CHARTS = ("global",)
# Handed on to Kubernetes or to the program as they are, whatever stands in them by default.
_HANDED_ON = re.compile(
    r"(.*[sS]ecurityContext|.*[aA]nnotations|.*[lL]abels|resources|nodeSelector|affinity|cm|params|installation)"
)


def require_known_values(component: Component, values: Mapping[str, Any], chart: Path) -> None:
    """Refuse values that the chart would ignore. Our own chart has a schema that refuses them itself.

    Args:
        component: whose chart it is.
        values: such as `components.values` in platform.yaml.
        chart: folder or archive.

    Raises:
        ConfigError: a key is not one of the chart's; `details` has every such key, with what may have been meant.
        PreflightError: the chart cannot be read.
    """
    if component.is_ours:
        return
    problems = tuple(
        f"components.values.{component.name}.{line}" for line in find_unknown(values, read_defaults(chart))
    )
    if problems:
        raise ConfigError(
            f"{component.name}: {len(problems)} values that its chart does not know",
            hint=f"see values.yaml of {component.chart} {component.version}",
            details=problems,
        )


def find_unknown(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """Every key, as a path and what may have been meant, that has no default in the chart.

    Below an empty default anything goes: that is how charts say so. `defaults` hold None below the name of a
    dependency whose own values are not known.
    """
    return tuple(_walk(values, defaults, ""))


def read_defaults(chart: Path) -> dict[str, Any]:
    """A chart's values.yaml, with those of its subcharts below their names.

    Raises:
        PreflightError: it is no chart, or its values are no mapping.
    """
    files = _read_files(chart)
    metadata = files.get(PurePosixPath("Chart.yaml"), {})
    defaults = dict(files.get(PurePosixPath("values.yaml"), {}))
    for dependency in metadata.get("dependencies") or ():
        name = dependency.get("alias") or dependency["name"]
        known = files.get(PurePosixPath("charts", dependency["name"], "values.yaml"))
        if known is None:
            defaults[name] = None
        else:
            defaults[name] = merge(known, defaults.get(name) or {})
    return defaults


def _walk(values: Mapping[str, Any], defaults: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in values.items():
        if key not in defaults and not (path == "" and key in _EVERY_CHARTS):
            near = difflib.get_close_matches(str(key), [str(name) for name in defaults], n=1)
            yield f"{path}{key}: unknown key" + (f", did you mean {near[0]}?" if near else "")
            continue
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping) and default and not _HANDED_ON.fullmatch(key):
            yield from _walk(value, default, f"{path}{key}.")


def _read_files(chart: Path) -> dict[PurePosixPath, dict[str, Any]]:
    """Chart.yaml and every values.yaml, by their place in the chart."""
    import yaml

    try:
        texts = dict(_read_folder(chart) if chart.is_dir() else _read_archive(chart))
        found = {path: load_yaml(text) or {} for path, text in texts.items()}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PreflightError(f"{chart}: this is no chart: {error}", hint="get it again") from error
    if PurePosixPath("Chart.yaml") not in found or not all(isinstance(item, dict) for item in found.values()):
        raise PreflightError(f"{chart}: this is no chart", hint="get it again")
    return found


def _read_folder(chart: Path) -> Iterator[tuple[PurePosixPath, str]]:
    for pattern in ("Chart.yaml", "values.yaml", "charts/*/values.yaml"):
        for path in sorted(chart.glob(pattern)):
            yield PurePosixPath(path.relative_to(chart).as_posix()), path.read_text("utf-8")


def _read_archive(chart: Path) -> Iterator[tuple[PurePosixPath, str]]:
    """Archives hold one folder; everything in it is named below it."""
    import tarfile

    try:
        with tarfile.open(chart) as archive:
            for member in archive:
                path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
                wanted = path.name in ("Chart.yaml", "values.yaml") and len(path.parts) in (1, 3)
                file = archive.extractfile(member) if wanted else None
                if file is not None:
                    yield path, file.read().decode()
    except tarfile.TarError as error:
        raise ValueError(str(error)) from error

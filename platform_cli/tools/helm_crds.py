"""A chart's CRDs: those of its `crds` folder, which Helm installs once and then forgets, and those that it renders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platform_cli.errors import ToolError
from platform_cli.tools.helm import find_helm, has_library, open_renderer, require_library
from platform_cli.tools.helm_manifest import parse_manifests, sort_objects

_CRD = "CustomResourceDefinition"


def list_crds(chart: Path) -> tuple[dict[str, Any], ...]:
    """What the `crds` folders of a chart and of its subcharts hold, by name; `chart` is a folder or an archive.

    Raises:
        ToolError: it is no chart, or something in the folder is no object.
        PreflightError: there is no Helm on this machine.
    """
    executable = None if has_library() else find_helm(os.environ)
    if executable is not None:
        texts = [_ask_program(executable, chart)]
    else:
        require_library()
        texts = _ask_library(chart)
    found = parse_manifests(texts, what=f"CRDs of chart {chart.name}")
    return sort_objects((item for item in found if item["kind"] == _CRD), hooks=True)


def render_crds(chart: Path, *, name: str, namespace: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """What a chart that makes nothing but CRDs makes, by name.

    Raises:
        ToolError: it makes something else, which nobody would apply.
        PreflightError: there is no Helm on this machine.
    """
    found = open_renderer().render(chart, name=name, namespace=namespace, values=values, hooks=True)
    others = [f"{item['kind']}/{item['metadata']['name']}" for item in found if item["kind"] != _CRD]
    if others:
        raise ToolError(
            f"chart {chart.name} makes {others[0]}, and was to make CRDs alone",
            hint="use the chart whose version releases.yaml names",
            details=(*others,),
        )
    return found


def _ask_library(chart: Path) -> list[str]:
    import helm_python

    try:
        with helm_python.Chart.load(chart) as loaded:
            return [item["data"] for item in loaded.crds]
    except helm_python.HelmError as error:
        raise ToolError(f"chart {chart.name}: {error.detail}") from error


def _ask_program(executable: str, chart: Path) -> str:
    import asyncio

    from pyhelm3 import Command
    from pyhelm3.errors import Error

    try:
        text: bytes = asyncio.run(Command(executable=executable).run(["show", "crds", chart]))
    except Error as error:
        raise ToolError(f"chart {chart.name}: {error.stderr.decode('utf-8', 'replace').strip()}") from error
    return text.decode()

"""`mlops charts`: which charts the target has, and the bundle for closed networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from platform_cli.cli.option import CloudOption, ConfigOption, EnvOption, OutputOption, load_context
from platform_cli.errors import StateError, UsageError
from platform_cli.render.line import count_of
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.cli.option import Context
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.image import BundleImage
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.config import Charts

app = typer.Typer(help="The target's Helm charts, and bundles of them.", no_args_is_help=True, rich_markup_mode=None)


class Target(NamedTuple):
    """What a target's components are made of."""

    components: tuple[Component, ...]
    outputs: ClusterOutputs


@app.command("list")
def list_charts(
    cloud: CloudOption = None, env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """List the target's components: chart, version, namespace, and where the chart comes from."""
    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        target = list_target(context, expects=True)
        rows, items = [], []
        for item in target.components:
            source = _describe_source(item, context.config.charts)
            rows.append((item.name, item.chart, item.version, item.namespace, source))
            fields = {"chart": item.chart, "version": item.version, "namespace": item.namespace}
            items.append({"name": item.name, **fields, "needs": list(item.needs), "source": source})
        document = {"type": "Charts", "target": str(context.target), "charts": items}
        context.screen.table(document, ("component", "chart", "version", "namespace", "source"), rows)


@app.command()
def mirror(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty, or holds an older bundle.")],
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    digests: Annotated[
        bool, typer.Option("--digests/--no-digests", help="Ask registries which content each image's tag stands for.")
    ] = True,
) -> None:
    """Put the target's charts, the list of their images and the checksums into a folder.

    Carry it into the closed network, verify it there, and set charts.source to folder and charts.path to it.
    """
    from platform_cli.cluster.bundle import mirror_charts, write_manifest
    from platform_cli.cluster.image import describe_images, resolve_images

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        target = list_target(context, expects=True)
        charts = mirror_charts(target.components, context.config.charts, folder)
        images = (resolve_images if digests else describe_images)(_list_all_images(context, target))
        manifest = write_manifest(folder, images)
        names = [path.name for path in charts]
        document = {
            "type": "ChartBundle",
            "folder": str(folder),
            "charts": names,
            "images": [image.name for image in images],
            "unknown_digests": [image.name for image in images if not image.digest],
        }
        summary = f"{count_of(len(charts), 'chart')} and the names of {count_of(len(images), 'image')}: {manifest}"
        context.screen.show(document, [*names, *_tell_unknown(images), summary])


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A bundle that `mlops charts mirror` wrote.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Check every file of a bundle against its SHA-256: changed, missing and added ones."""
    from platform_cli.cluster.bundle import verify_bundle
    from platform_cli.render.screen import open_screen

    faults = verify_bundle(folder)
    if faults:
        lines = tuple(str(fault) for fault in faults)
        raise StateError(f"{folder} is not as it was written", hint="copy the bundle again", details=lines)
    open_screen(output, verbose=False).show(
        {"type": "ChartBundleVerified", "folder": str(folder)}, [f"{folder} is as it was written"]
    )


def list_target(context: Context, *, expects: bool = False) -> Target:
    """The target's components and what its infrastructure handed on.

    Args:
        context: of the command.
        expects: whether what will probably be handed on is good enough before the first deploy.

    Raises:
        UsageError: the target has no cluster.
        NotReadyError: its infrastructure is not deployed, and nothing is expected.
    """
    from platform_cli.cluster.component import read_components, select_components

    outputs = _find_outputs(context, expects=expects)
    components = select_components(read_components(), context.config, outputs)
    if not components:
        raise UsageError(f"{context.target} has no components", hint="--cloud local, existing, aws, azure or gcp")
    return Target(components, outputs)


def _describe_source(component: Component, charts: Charts) -> str:
    from platform_cli.cluster.chart import locate

    if component.is_ours:
        return "ours"
    if charts.source == "folder":
        return charts.path or "charts.path is not set"
    reference, repository = locate(component, charts)
    return repository or reference


def _find_outputs(context: Context, *, expects: bool) -> ClusterOutputs:
    from platform_cli.clouds.access import read_outputs
    from platform_cli.clouds.terraform import TerraformCloud
    from platform_cli.clouds.terraform.composition import expect_outputs
    from platform_cli.cluster.outputs import existing_outputs
    from platform_cli.errors import NotReadyError

    if not isinstance(context.cloud, TerraformCloud):
        return existing_outputs(context.config)
    try:
        return read_outputs(context.config, context.layout)
    except NotReadyError:
        if not expects:
            raise
        return expect_outputs(context.config)


def _tell_unknown(images: Sequence[BundleImage]) -> list[str]:
    """How many digests nobody told, by the reason."""
    reasons = Counter(image.reason for image in images if not image.digest)
    return [f"{count_of(count, 'digest')} unknown: {reason}" for reason, count in sorted(reasons.items())]


def _list_all_images(context: Context, target: Target) -> tuple[str, ...]:
    """Of every chart, what its operator starts besides, and our own three, which workflows and models name."""
    from platform_cli.cluster.bundle import list_images
    from platform_cli.cluster.chart import find_chart
    from platform_cli.cluster.value import build_values
    from platform_cli.cluster.value_site import image_of
    from platform_cli.tools.helm import open_renderer

    helm, config = open_renderer(), context.config
    found = {image_of(name, config, target.outputs) for name in ("serving", "tracking", "training")}
    for item in target.components:
        values = build_values(item, config, target.outputs)
        chart = find_chart(item, config.charts)
        objects = helm.render(chart, name=item.release, namespace=item.namespace, values=values, hooks=True)
        found.update(list_images(objects), item.images)
    return tuple(sorted(found))

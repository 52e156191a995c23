"""The bundle for closed networks: every chart, the list of every image, and the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from platform_cli.errors import PreflightError, RefusedError
from platform_cli.tools.helm_manifest import load_yaml

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.image import BundleImage
    from platform_cli.config import Charts

MANIFEST = "bundle.json"
IMAGES = "images.txt"
_CHARTS = "charts"
_BLOCK = 1 << 20
_SCHEMA = 1
_IMAGE = re.compile(r"[a-z0-9][\w.:/-]*(@sha256:[0-9a-f]{64})?")
# Operators are told by arguments or by their environment which images they are to run.
_ARGUMENT = re.compile(r"--[a-z0-9-]+=(?P<image>[\w-]+(\.[\w-]+)+(:\d+)?(/[\w.-]+)+[:@][\w.:-]+)")
_OPTION = re.compile(r"--([a-z0-9-]+-)?image")
_VARIABLE = re.compile(r"([A-Z0-9_]+_)?IMAGE|RELATED_IMAGE_[A-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Fault:
    """One file of a bundle that is not as it was written."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def mirror_charts(components: Iterable[Component], charts: Charts, folder: Path) -> tuple[Path, ...]:
    """Put every chart into `folder/charts`, one archive or folder each; ours are not among them.

    Raises:
        RefusedError: the folder holds something that is no bundle.
        MlopsError: as `find_chart`.
    """
    from platform_cli.cluster.chart import find_chart

    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise RefusedError(f"{folder} holds something that is no bundle", hint="name an empty folder")
    placed = []
    for component in components:
        if component.is_ours:
            continue
        source = find_chart(component, charts)
        target = (
            folder / _CHARTS / (component.chart if source.is_dir() else f"{component.chart}-{component.version}.tgz")
        )
        _copy(source, target)
        placed.append(target)
    return tuple(dict.fromkeys(placed))


def list_images(objects: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every container image that rendered objects name, sorted: also in custom resources and operators' settings.

    What an operator starts without being told is not among it: that is `images` of the component.
    """
    found: set[str] = set()
    for item in objects:
        found.update(_walk(item))
        if item.get("kind") == "ConfigMap":
            for name, text in (item.get("data") or {}).items():
                found.update(_walk(_parse(name, text)))
    return tuple(sorted(found))


def _walk(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        named = _VARIABLE.fullmatch(str(value.get("name", "")))
        for key, inner in value.items():
            if (key == "image" or (named and key == "value")) and _is_image(inner):
                yield inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for before, inner in zip((None, *value), value, strict=False):
            if isinstance(before, str) and _OPTION.fullmatch(before) and _is_image(inner):
                yield inner
            yield from _walk(inner)
    elif isinstance(value, str) and (match := _ARGUMENT.fullmatch(value)):
        yield match["image"]


def _is_image(value: Any) -> bool:
    return isinstance(value, str) and _IMAGE.fullmatch(value) is not None


def _parse(name: str, text: Any) -> Any:
    """What a controller's settings are when they are JSON, or YAML by their file's name; nothing else."""
    try:
        return load_yaml(text) if name.endswith((".yaml", ".yml")) else json.loads(text)
    except (TypeError, ValueError, yaml.YAMLError):
        return None


def write_manifest(folder: Path, images: Iterable[BundleImage]) -> Path:
    """Write the list of images, then the checksums of everything in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    images = sorted(images, key=lambda image: image.name)
    (folder / IMAGES).write_text("".join(f"{image.name}\n" for image in images), encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): _digest(path) for path in _list_files(folder)}
    document = {
        "schema_version": _SCHEMA,
        "type": "ChartBundle",
        "files": files,
        "images": [image.to_document() for image in images],
    }
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def verify_bundle(folder: Path) -> tuple[Fault, ...]:
    """Everything in a bundle that is not as it was written: changed, missing or added files.

    Raises:
        PreflightError: the folder holds no bundle.
    """
    files = _read_files(folder)
    if files is None:
        raise PreflightError(f"{folder}: there is no {MANIFEST}", hint="mlops charts mirror makes a bundle")
    there = {path.relative_to(folder).as_posix(): path for path in _list_files(folder)}
    faults = [Fault(name, "is missing") for name in files if name not in there]
    faults += [Fault(name, "is not of the bundle") for name in there if name not in files]
    faults += [
        Fault(name, "has another SHA-256 than when it was written")
        for name, path in there.items()
        if name in files and _digest(path) != files[name]
    ]
    return tuple(sorted(faults, key=str))


def verify_file(folder: Path, chart: Path) -> None:
    """Hold one chart against the bundle's checksums; a folder without checksums proves nothing and is fine.

    Raises:
        PreflightError: a file of the chart is not as it was written.
    """
    files = _read_files(folder)
    if files is None:
        return
    paths = [chart] if chart.is_file() else sorted(path for path in chart.rglob("*") if path.is_file())
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if files.get(name) != _digest(path):
            raise PreflightError(
                f"{path}: not what {MANIFEST} says, its SHA-256 is another",
                hint="copy the bundle again, then verify it",
            )


def _read_files(folder: Path) -> dict[str, str] | None:
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return None
    try:
        document = json.loads(manifest.read_text("utf-8"))
        return {str(name): str(digest) for name, digest in document["files"].items()}
    except (ValueError, KeyError, AttributeError) as error:
        raise PreflightError(f"{manifest}: this is no manifest of a bundle: {error}", hint="copy it again") from error


def _list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)

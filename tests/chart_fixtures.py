"""A folder of charts for a cluster that can pull nothing: stand-ins, and KServe's own charts where Go has them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).resolve().parent / "charts"
KSERVE = "github.com/kserve/kserve@v0.20.0/charts"
STAND_IN_IMAGE = "docker.io/library/mlops-stand-in:1"
_ANNOTATIONS = "'@annotations@'"
# Values for components whose real chart names images that nobody can have here.
OVERRIDES: dict[str, dict[str, Any]] = {
    "kserve-resources": {"kserve": {"controller": {"rbacProxyImage": STAND_IN_IMAGE}}},
}


def assemble_charts(folder: Path) -> Path:
    """Write every chart into the folder: `charts.source: folder`, `charts.path` is what is returned."""
    for source in sorted(CHARTS.iterdir()):
        if (source / "Chart.yaml").is_file():
            _assemble(source, folder / source.name)
    kserve = find_kserve()
    for name in ("kserve-crd", "kserve-resources") if kserve else ():
        _copy_tree(kserve / name, folder / name)
    return folder


def find_kserve() -> Path | None:
    """KServe's charts in Go's module cache, where `kube kserve` puts them; None when they are not there."""
    charts = find_module(KSERVE)
    return charts if charts.is_dir() else None


def find_module(path: str) -> Path:
    """Where something of Go's module cache is, or would be."""
    go = shutil.which("go")
    cache = os.environ.get("GOMODCACHE", "")
    if not cache and go:
        cache = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    return Path(cache or Path.home() / "go/pkg/mod") / path


def _copy_tree(source: Path, target: Path) -> None:
    """Copy without modes: Go's cache is read-only, folders and all."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _assemble(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)
    (target / "templates").mkdir(exist_ok=True)
    if (source / "workloads.yaml").is_file():
        shutil.copyfile(CHARTS / "_shared" / "workloads.yaml", target / "templates" / "workloads.yaml")
    if (source / "crds.yaml").is_file():
        wish = yaml.safe_load((source / "crds.yaml").read_text())
        place = target / "crds" if wish["where"] == "folder" else target / "templates"
        place.mkdir(exist_ok=True)
        text = yaml.safe_dump_all(_make_crd(item) for item in wish["crds"])
        (place / "crds.yaml").write_text(text.replace(_ANNOTATIONS, _annotate(wish)))
        (target / "crds.yaml").unlink()


def _annotate(wish: dict[str, Any]) -> str:
    """What the public chart writes there: `keep` and `annotations` name the value that decides; else nothing does."""
    if "keep" in wish:
        return f'{{{{ ternary (dict "helm.sh/resource-policy" "keep") dict {wish["keep"]} | toJson }}}}'
    return f"{{{{ {wish['annotations']} | toJson }}}}" if "annotations" in wish else "{}"


def _make_crd(item: dict[str, Any]) -> dict[str, Any]:
    """The name and the versions are real; what is in the objects is not looked at."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": name, "served": True, "storage": index == 0, "schema": schema}
        for index, name in enumerate(sorted(item["versions"]))
    ]
    names = {"kind": item["kind"], "plural": item["plural"], "singular": item["kind"].lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{item['plural']}.{item['group']}",
            "annotations": _ANNOTATIONS.strip("'"),
        },
        "spec": {"group": item["group"], "names": names, "scope": item["scope"], "versions": versions},
    }


@pytest.fixture(scope="session")
def stand_in_charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, written once."""
    return assemble_charts(tmp_path_factory.mktemp("charts"))


def list_images(programs: Path, gateway: Path) -> tuple[tuple[str, Path, Path], ...]:
    """Images that stand-ins need, as name, context and Dockerfile, for whoever can build them.

    Args:
        programs: the folder with Argo's `argo`.
        gateway: the folder with `versitygw`.
    """
    images = CHARTS / "images"
    return (
        (STAND_IN_IMAGE, images / "stand-in", images / "stand-in" / "Dockerfile"),
        ("quay.io/argoproj/argocli:v4.0.7", programs, images / "argocli" / "Dockerfile"),
        ("ghcr.io/versity/versitygw:v1.8.0", gateway, images / "object-store" / "Dockerfile"),
    )

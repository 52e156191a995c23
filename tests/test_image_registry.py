"""Which content a tag stands for, asked of a registry on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from closed_port import hold_closed_port
from registry_stand_in import RegistryStandIn

from platform_cli.cluster.bundle import write_manifest
from platform_cli.cluster.image import resolve_images
from platform_cli.errors import NotFoundError, PreflightError
from platform_cli.tools.image_registry import parse_image, resolve_digest

ROOT = Path(__file__).resolve().parent.parent
PINNED = "r.example/p:1@sha256:" + "1" * 64


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryStandIn]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RegistryStandIn() as found:
        yield found


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("busybox", ("docker.io", "library/busybox", "latest")),
        ("kserve/storage:v1", ("docker.io", "kserve/storage", "v1")),
        ("quay.io/team/app:1", ("quay.io", "team/app", "1")),
        ("localhost/app:1", ("localhost", "app", "1")),
        ("127.0.0.1:5000/a/b/c:v1.2", ("127.0.0.1:5000", "a/b/c", "v1.2")),
        (PINNED, ("r.example", "p", "1")),
    ],
    ids=["short", "hub", "host", "localhost", "port", "pinned"],
)
def test_names_are_read_as_docker_reads_them(image: str, parts: tuple[str, str, str]) -> None:
    assert parse_image(image) == parts


@pytest.mark.parametrize("login", ["none", "token"])
def test_a_registry_tells_what_a_tag_stands_for(registry: RegistryStandIn, login: str) -> None:
    registry.login = login
    digest = registry.add("team/app:1")
    assert resolve_digest(f"{registry.address}/team/app:1") == digest
    assert [method for method, _, _ in registry.asked] == (["HEAD"] if login == "none" else ["HEAD", "GET", "HEAD"])


def test_what_is_not_there_and_what_wants_a_login_is_said(registry: RegistryStandIn) -> None:
    with pytest.raises(NotFoundError, match=r"has no team/app:2"):
        resolve_digest(f"{registry.address}/team/app:2")
    registry.login = "password"
    with pytest.raises(PreflightError, match="wants a login for team/app"):
        resolve_digest(f"{registry.address}/team/app:2")


@pytest.fixture
def away() -> Iterator[str]:
    """The address of a registry that has ended."""
    with hold_closed_port() as port:
        yield f"127.0.0.1:{port}"


def test_a_bundle_says_each_digest_or_why_it_is_unknown(registry: RegistryStandIn, away: str, tmp_path: Path) -> None:
    digest = registry.add("team/app:1")
    images = [f"{registry.address}/team/app:1", f"{registry.address}/team/gone:1", f"{away}/a:1", f"{away}/b:1", PINNED]
    described = resolve_images(images)
    document = json.loads(write_manifest(tmp_path, described).read_text())
    found = {item["name"]: item for item in document["images"]}
    assert found[images[0]] == {"name": images[0], "digest": digest, "source": "registry"}
    assert found["r.example/p:1"] == {"name": "r.example/p:1", "digest": "sha256:" + "1" * 64, "source": "chart"}
    gone = f"{registry.address} has no team/gone:1"
    assert found[images[1]] == {"name": images[1], "digest": "", "source": "unknown", "reason": gone}
    # What cannot be reached is asked once.
    assert {found[name]["reason"] for name in images[2:4]} == {f"{away} cannot be reached"}
    assert (tmp_path / "images.txt").read_text() == "".join(f"{image}\n" for image in sorted(images))


def test_the_command_asks_registries_unless_told_not_to(
    registry: RegistryStandIn, away: str, tmp_path: Path, stand_in_charts: Path
) -> None:
    digest = registry.add(f"team/mlops-training:{version('mlops')}")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MLOPS_")}
    environ |= {
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "MLOPS_CHARTS_SOURCE": "folder",
        "MLOPS_CHARTS_PATH": str(stand_in_charts),
        "MLOPS_COMPONENTS_SKIP": json.dumps(["kserve-crd", "kserve-resources"]),
        "MLOPS_IMAGES_REGISTRY": f"{registry.address}/team",
        # Whatever is not on this machine is beyond a proxy that is not there.
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://{away}"),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
    }

    def mirror(*words: str) -> dict[str, dict[str, str]]:
        program = [sys.executable, "-m", "platform_cli.cli.start", "charts", "mirror", "b", "--cloud", "existing"]
        done = subprocess.run(
            [*program, *words], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert ("unknown: nobody asked" in done.stdout) == ("--no-digests" in words)
        return {item["name"]: item for item in json.loads((tmp_path / "b" / "bundle.json").read_text())["images"]}

    found = mirror()
    ours = f"{registry.address}/team/mlops-training:{version('mlops')}"
    assert found[ours]["digest"] == digest
    assert found["quay.io/argoproj/argoexec:v4.0.7"]["reason"] == "quay.io cannot be reached"
    asked = len(registry.asked)
    assert mirror("--no-digests")[ours] == {"name": ours, "digest": "", "source": "unknown", "reason": "nobody asked"}
    assert len(registry.asked) == asked

"""Locks of the roots' providers: written for all roots of a cloud at once, and taken along unless mirrors are named."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from terraform_fixtures import MIRROR, ROOT, TERRAFORM, Folder

from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.clouds.terraform.work_copy import WorkCopy
from platform_cli.layout import Layout
from platform_cli.target import CloudName, Env, Target

LOCK = ".terraform.lock.hcl"
SCRIPT = ROOT / "scripts" / "lock-providers.sh"
TARGET = Target(CloudName.AWS, Env.DEV)


@pytest.mark.parametrize("is_locked", [True, False])
def test_a_lock_holds_unless_mirrors_are_named(tmp_path: Path, *, is_locked: bool) -> None:
    layout = Layout(assets=tmp_path / "assets", project=tmp_path)
    root = layout.terraform / "environments" / "aws" / "dev"
    root.mkdir(parents=True)
    (root / "main.tf").write_text("")
    (layout.terraform / "modules").mkdir()
    copy = WorkCopy(layout.terraform, layout.home(TARGET.name), TARGET, is_locked=is_locked)
    before = copy.digest({})
    (root / LOCK).write_text("ours")
    copy.write({}, LocalBackend(copy.state))
    assert (copy.root / LOCK).is_file() is is_locked
    assert (copy.digest({}) != before) is is_locked
    # What Terraform wrote beside its own run stays.
    (root / LOCK).unlink()
    (copy.root / LOCK).write_text("Terraform's")
    copy.write({}, LocalBackend(copy.state))
    assert (copy.root / LOCK).read_text() == "Terraform's"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    if not MIRROR.is_dir():
        pytest.skip("no mirror with the AWS provider")
    shutil.copytree(TERRAFORM, tmp_path / TERRAFORM.relative_to(ROOT), ignore=shutil.ignore_patterns(".terraform*"))
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    return tmp_path


def lock(checkout: Path, platforms: str) -> subprocess.CompletedProcess[str]:
    chosen = {"CLOUDS": "aws", "MIRROR": str(MIRROR), "PLATFORMS": platforms, "TF_CLI_CONFIG_FILE": os.devnull}
    command = ["sh", str(checkout / "scripts" / SCRIPT.name)]
    return subprocess.run(command, env={**os.environ, **chosen}, capture_output=True, text=True, check=False)


@pytest.mark.terraform
def test_one_lock_serves_all_roots_of_a_cloud(checkout: Path) -> None:
    (here, *_) = (folder.name for folder in MIRROR.glob("*/hashicorp/aws/*/*_*") if folder.is_dir())
    done = lock(checkout, here)
    assert done.returncode == 0, done.stderr
    roots = sorted((checkout / TERRAFORM.relative_to(ROOT) / "environments" / "aws").iterdir())
    texts = {(root / LOCK).read_text() for root in roots}
    assert len(roots) == 3
    assert len(texts) == 1
    assert 'provider "registry.terraform.io/hashicorp/aws"' in texts.pop()
    Folder(roots[-1], {}).init("-lockfile=readonly")


@pytest.mark.terraform
def test_a_platform_without_its_provider_is_told(checkout: Path) -> None:
    done = lock(checkout, "plan9_386")
    assert done.returncode != 0
    assert "plan9_386" in done.stderr

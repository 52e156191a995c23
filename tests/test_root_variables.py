"""Variables of a root that `platform.yaml` has no key for: taken over whole, and never in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from platform_cli.clouds.registry import open_cloud
from platform_cli.clouds.terraform import TerraformCloud
from platform_cli.clouds.terraform.variable import choose_variables
from platform_cli.config import Config
from platform_cli.config_load import load_settings
from platform_cli.errors import ConfigError
from platform_cli.layout import Layout

ROOT = Path(__file__).resolve().parent.parent
AWS = ROOT / "infrastructure" / "terraform" / "environments" / "aws" / "dev"


def read(project: Path, cloud: str, **variables: Any) -> list[str]:
    """Names and sizes of all that would be made."""
    config = Config.model_validate(
        {
            "version": 1,
            "cloud": cloud,
            "gcp": {"project": "p"},
            "azure": {"subscription": "00000000-0000-0000-0000-000000000000"},
            "terraform": {"variables": variables},
        }
    )
    opened = open_cloud(config, Layout(assets=ROOT, project=project))
    assert isinstance(opened, TerraformCloud)
    return [f"{resource.address} {resource.values}" for resource in opened._read().resources]


def test_a_next_life_on_google_cloud_gets_other_names(tmp_path: Path) -> None:
    (ring,) = (line for line in read(tmp_path, "gcp") if "google_kms_key_ring." in line)
    (other,) = (line for line in read(tmp_path, "gcp", gcp={"generation": 2}) if "google_kms_key_ring." in line)
    assert "-g1'" in ring
    assert "-g2'" in other


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_node_pools_can_be_told(tmp_path: Path, cloud: str) -> None:
    assert not [line for line in read(tmp_path, cloud) if '["batch"]' in line]
    pool = {"instance_types": ["odd-size"], "min": 1, "max": 9, "desired": 2}
    assert [line for line in read(tmp_path, cloud, node_pools={"batch": pool}) if "odd-size" in line]


def test_every_mistake_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_variables({"node_pool": {}, "product": "x", "network": {}}, {"product": "mlops"}, AWS)
    assert caught.value.details == (
        "terraform.variables.node_pool: no such variable, did you mean node_pools?",
        "terraform.variables.product: another key of platform.yaml, or a flag, sets it already",
    )


def test_what_terraform_could_not_be_told_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("version: 1\nterraform:\n  variables:\n    tags: {since: 2026-11-21}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file=file, environ={}, flags={})
    assert "terraform.variables.tags" in "\n".join(caught.value.details)

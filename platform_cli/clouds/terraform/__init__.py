"""What every cloud made by Terraform shares: work copy, plan, apply, state, checks, proof."""

from platform_cli.clouds.terraform.cloud import TerraformCloud
from platform_cli.clouds.terraform.provider import Deployment, Provider, Sweep, Swept

__all__ = ["Deployment", "Provider", "Sweep", "Swept", "TerraformCloud"]

"""What every cloud made by Terraform shares: work copy, plan, apply, state, checks, proof."""

from platform_cli.clouds.terraform.cloud import TerraformCloud
from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.protection import Guards
from platform_cli.clouds.terraform.provider import Provider, Sweep, Swept
from platform_cli.clouds.terraform.retention import Retention

__all__ = ["Deployment", "Guards", "Provider", "Retention", "Sweep", "Swept", "TerraformCloud"]

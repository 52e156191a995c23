"""Amazon Web Services: EKS and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.clouds.aws.account import check_credentials
from platform_cli.clouds.aws.sweep import sweep
from platform_cli.clouds.terraform import Provider, TerraformCloud
from platform_cli.doctor import Check

if TYPE_CHECKING:
    from platform_cli.config import Config
    from platform_cli.layout import Layout

_LAYERS = {
    "cluster": frozenset({"aws_eks_cluster"}),
    "nodes": frozenset({"aws_eks_node_group"}),
    "storage": frozenset({"aws_s3_bucket"}),
    "database": frozenset({"aws_db_instance"}),
}
_DATA_TYPES = frozenset(
    {
        "aws_cloudwatch_log_group",
        "aws_db_instance",
        "aws_ecr_repository",
        "aws_eks_cluster",
        "aws_kms_key",
        "aws_s3_bucket",
        "aws_secretsmanager_secret",
        "aws_secretsmanager_secret_version",
    }
)


def open_aws(config: Config, layout: Layout) -> TerraformCloud:
    """The target on AWS; nothing is asked before a method is called."""
    wish = config.aws
    profile = wish.credentials_profile
    provider = Provider(
        variables={"region": wish.region},
        environment={"AWS_PROFILE": profile} if profile else {},
        data_types=_DATA_TYPES,
        layers=_LAYERS,
        checks=(Check("credentials", lambda: check_credentials(profile)),),
        sweep=lambda deployment: sweep(deployment, profile),
    )
    return TerraformCloud(config, layout, provider)

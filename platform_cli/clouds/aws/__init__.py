"""Amazon Web Services: EKS and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.clouds.aws.backend import S3Service
from platform_cli.clouds.aws.check import open_probe
from platform_cli.clouds.aws.snapshot import drop_snapshots
from platform_cli.clouds.aws.sweep import sweep
from platform_cli.clouds.terraform import Guards, Provider, Retention, TerraformCloud
from platform_cli.clouds.terraform.variable import list_tags

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
# Deletion protection that AWS knows, and what Terraform leaves behind or refuses to empty while it is on.
_GUARDS: Guards = {
    "aws_db_instance": {"deletion_protection": False, "skip_final_snapshot": True},
    "aws_ecr_repository": {"force_delete": True},
    "aws_s3_bucket": {"force_destroy": True},
    "aws_secretsmanager_secret": {"recovery_window_in_days": 0},
}
# Buckets and registry as they are, the key without which nobody could read them, and of the database its last snapshot.
_RETENTION = Retention(
    types=frozenset(
        {
            "aws_ecr_lifecycle_policy",
            "aws_ecr_repository",
            "aws_kms_alias",
            "aws_kms_key",
            "aws_s3_bucket",
            "aws_s3_bucket_lifecycle_configuration",
            "aws_s3_bucket_ownership_controls",
            "aws_s3_bucket_policy",
            "aws_s3_bucket_public_access_block",
            "aws_s3_bucket_server_side_encryption_configuration",
            "aws_s3_bucket_versioning",
        }
    ),
    shown=frozenset({"aws_ecr_repository", "aws_kms_key", "aws_s3_bucket"}),
    snapshot="aws_db_instance",
    variable="database_snapshot",
    opened={"skip_final_snapshot": False},
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
        probe=open_probe(profile),
        sweep=lambda deployment: sweep(deployment, profile),
        states=S3Service(
            profile=profile,
            bucket=wish.state_bucket,
            region=wish.state_region or wish.region or "",
            prefix=config.name,
            tags=list_tags(config),
        ),
        guards=_GUARDS,
        retention=_RETENTION,
        drop_snapshots=lambda deployment, names: drop_snapshots(deployment, names, profile),
    )
    return TerraformCloud(config, layout, provider)

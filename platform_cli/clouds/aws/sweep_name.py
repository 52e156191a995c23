"""What carries no tag that one can search by, or whose tags AWS' tagging API does not know: found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.search import Probe

Open = Callable[[str], Any]

# Call, list in the answer, name of an item.
_IAM = {
    "roles": ("list_roles", "Roles", "RoleName"),
    "policies": ("list_policies", "Policies", "PolicyName"),
    "instance profiles": ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
}


def list_named_probes(open_client: Open, deployment: Deployment) -> list[Probe]:
    """Everything that is known by its name; without a known prefix only what has tags of its own."""
    tagged = [
        Probe("database snapshots", partial(_list_snapshots, open_client, deployment)),
        Probe("OIDC providers", partial(_list_oidc_providers, open_client, deployment)),
    ]
    if not deployment.prefix:
        return tagged
    return [
        Probe("clusters", partial(_list_clusters, open_client, deployment)),
        Probe("log groups", partial(_list_log_groups, open_client, deployment)),
        Probe("buckets", partial(_list_buckets, open_client, deployment)),
        *(Probe(title, partial(_list_iam, open_client, deployment, kind)) for title, kind in _IAM.items()),
        Probe("key aliases", partial(_list_aliases, open_client, deployment)),
        *tagged,
    ]


def _is_ours(name: str, deployment: Deployment) -> bool:
    """Roles have no region in their names: a prefix is one deployment in an account."""
    karpenter = f"{deployment.cluster}_" if deployment.cluster else f"{deployment.prefix}_"
    return name == deployment.prefix or name.startswith((f"{deployment.prefix}-", karpenter))


def _list_clusters(open_client: Open, deployment: Deployment) -> Iterator[str]:
    for page in open_client("eks").get_paginator("list_clusters").paginate():
        yield from (name for name in page["clusters"] if name == (deployment.cluster or deployment.prefix))


def _list_log_groups(open_client: Open, deployment: Deployment) -> Iterator[str]:
    cluster = deployment.cluster or deployment.prefix
    prefixes = (
        f"/aws/eks/{cluster}/",
        f"/aws/containerinsights/{cluster}/",
        f"/aws/rds/instance/{deployment.prefix}-",
        f"/aws/vpc/{deployment.prefix}",
    )
    pages = open_client("logs").get_paginator("describe_log_groups")
    for prefix in prefixes:
        for page in pages.paginate(logGroupNamePrefix=prefix):
            yield from (group["logGroupName"] for group in page["logGroups"])


def _list_buckets(open_client: Open, deployment: Deployment) -> Iterator[str]:
    """Names are unique in the world: one that begins as ours and carries another deployment's tag is another's."""
    s3 = open_client("s3")
    for bucket in s3.list_buckets().get("Buckets", ()):
        if _is_ours(bucket["Name"], deployment) and _tag_of(s3, bucket["Name"]) in ("", deployment.id):
            yield bucket["Name"]


def _tag_of(s3: Any, bucket: str) -> str:
    from botocore.exceptions import ClientError

    try:
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchTagSet":
            raise
        return ""
    return next((tag["Value"] for tag in tags if tag["Key"] == "deployment-id"), "")


def _list_iam(open_client: Open, deployment: Deployment, kind: tuple[str, str, str]) -> Iterator[str]:
    call, key, name = kind
    arguments = {"Scope": "Local"} if call == "list_policies" else {}
    for page in open_client("iam").get_paginator(call).paginate(**arguments):
        yield from (item[name] for item in page[key] if _is_ours(item[name], deployment))


def _list_aliases(open_client: Open, deployment: Deployment) -> Iterator[str]:
    for page in open_client("kms").get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if _is_ours(alias["AliasName"].removeprefix("alias/"), deployment):
                yield alias["AliasName"]


def _list_snapshots(open_client: Open, deployment: Deployment) -> Iterator[str]:
    for page in open_client("rds").get_paginator("describe_db_snapshots").paginate(SnapshotType="manual"):
        for snapshot in page["DBSnapshots"]:
            tags = {tag["Key"]: tag["Value"] for tag in snapshot.get("TagList", ())}
            if tags.get("deployment-id") == deployment.id:
                yield snapshot["DBSnapshotIdentifier"]


def _list_oidc_providers(open_client: Open, deployment: Deployment) -> Iterator[str]:
    iam = open_client("iam")
    for item in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        tags = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=item["Arn"])["Tags"]
        if any(tag["Key"] == "deployment-id" and tag["Value"] == deployment.id for tag in tags):
            yield item["Arn"]

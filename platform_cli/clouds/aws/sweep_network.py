"""What a cluster's own controllers make in EC2 and ELB, beside Terraform: found by their tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.search import Probe

Open = Callable[[str], Any]

# What is listed, by which call, in which list, under which name; `kept` states are those in which it is gone.
_KINDS: tuple[tuple[str, str, str, str, Mapping[str, Any]], ...] = (
    ("volumes", "describe_volumes", "Volumes", "VolumeId", {}),
    ("volume snapshots", "describe_snapshots", "Snapshots", "SnapshotId", {"OwnerIds": ["self"]}),
    ("network interfaces", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", {}),
    ("security groups", "describe_security_groups", "SecurityGroups", "GroupId", {}),
    ("launch templates", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", {}),
    ("addresses", "describe_addresses", "Addresses", "AllocationId", {}),
)
_GONE = ("terminated", "shutting-down")
_TAGS_AT_ONCE = 20


def list_compute_probes(open_client: Open, deployment: Deployment) -> list[Probe]:
    """Instances and what hangs on them, and load balancers."""
    marks = _list_marks(deployment)
    simple = [Probe(kind[0], partial(_list_simple, open_client, kind, marks)) for kind in _KINDS]
    return [
        Probe("instances", partial(_list_instances, open_client, marks)),
        Probe("load balancers", partial(_list_balancers, open_client, marks)),
        Probe("target groups", partial(_list_target_groups, open_client, marks)),
        *simple,
    ]


def _list_marks(deployment: Deployment) -> dict[str, str]:
    """Tags that say whose something is; an empty value stands for any."""
    cluster = deployment.cluster
    of_cluster = {
        f"kubernetes.io/cluster/{cluster}": "owned",
        "KubernetesCluster": cluster,
        "aws:eks:cluster-name": cluster,
        "cluster.k8s.amazonaws.com/name": cluster,
        "eks:cluster-name": cluster,
        "eks:eks-cluster-name": cluster,
        "elbv2.k8s.aws/cluster": cluster,
        "karpenter.k8s.aws/cluster": cluster,
    }
    return {"deployment-id": deployment.id, **(of_cluster if cluster else {})}


def _is_ours(tags: Sequence[Mapping[str, str]], marks: Mapping[str, str]) -> bool:
    return any(marks.get(tag["Key"]) == tag["Value"] for tag in tags)


def _list_simple(
    open_client: Open, kind: tuple[str, str, str, str, Mapping[str, Any]], marks: Mapping[str, str]
) -> Iterator[str]:
    _, call, key, name, arguments = kind
    ec2 = open_client("ec2")
    wanted = {"Filters": [{"Name": "tag-key", "Values": list(marks)}], **arguments}
    pages = ec2.get_paginator(call).paginate(**wanted) if ec2.can_paginate(call) else [getattr(ec2, call)(**wanted)]
    for page in pages:
        yield from (item[name] for item in page[key] if _is_ours(item.get("Tags") or item.get("TagSet", ()), marks))


def _list_instances(open_client: Open, marks: Mapping[str, str]) -> Iterator[str]:
    wanted = [{"Name": "tag-key", "Values": list(marks)}]
    for page in open_client("ec2").get_paginator("describe_instances").paginate(Filters=wanted):
        for item in (item for group in page["Reservations"] for item in group["Instances"]):
            if item["State"]["Name"] not in _GONE and _is_ours(item.get("Tags", ()), marks):
                yield item["InstanceId"]


def _list_balancers(open_client: Open, marks: Mapping[str, str]) -> Iterator[str]:
    """Of both generations."""
    pages = open_client("elbv2").get_paginator("describe_load_balancers").paginate()
    arns = [item["LoadBalancerArn"] for page in pages for item in page["LoadBalancers"]]
    yield from _filter_by_tags(open_client("elbv2"), arns, marks)
    classic = open_client("elb")
    pages = classic.get_paginator("describe_load_balancers").paginate()
    names = [item["LoadBalancerName"] for page in pages for item in page["LoadBalancerDescriptions"]]
    for some in _in_parts(names):
        for item in classic.describe_tags(LoadBalancerNames=some)["TagDescriptions"]:
            if _is_ours(item["Tags"], marks):
                yield item["LoadBalancerName"]


def _list_target_groups(open_client: Open, marks: Mapping[str, str]) -> Iterator[str]:
    elb = open_client("elbv2")
    pages = elb.get_paginator("describe_target_groups").paginate()
    yield from _filter_by_tags(elb, [item["TargetGroupArn"] for page in pages for item in page["TargetGroups"]], marks)


def _filter_by_tags(elb: Any, arns: Sequence[str], marks: Mapping[str, str]) -> Iterator[str]:
    for some in _in_parts(arns):
        for item in elb.describe_tags(ResourceArns=some)["TagDescriptions"]:
            if _is_ours(item["Tags"], marks):
                yield item["ResourceArn"]


def _in_parts(names: Sequence[str]) -> Iterator[list[str]]:
    """The API tells the tags of so many at once."""
    for start in range(0, len(names), _TAGS_AT_ONCE):
        yield list(names[start : start + _TAGS_AT_ONCE])

"""EKS: the calls that moto lacks or answers in another shape than AWS.

Documented at https://docs.aws.amazon.com/eks/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.eks.models import eks_backends

from aws_stand_in import eks_access, eks_addons
from aws_stand_in.answers import AwsError
from aws_stand_in.eks_state import Call, State, Thing, missing

__all__ = ["AFTER_MOTO", "INSTEAD_OF_MOTO", "Call", "State"]

ACCESS = {"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True}


def complete_cluster(call: Call) -> None:
    """Give a new cluster what AWS gives it: a group, an issuer and a certificate of its own, and what was asked for."""
    cluster = eks_backends[DEFAULT_ACCOUNT_ID][call.region].clusters.get(call.body["name"])
    if cluster is None or hasattr(cluster, "access_config"):  # moto refused to make it, or refused to make it twice
        return
    cluster.access_config = ACCESS | call.body.get("accessConfig", {})
    cluster.upgrade_policy = {"supportType": "EXTENDED"} | call.body.get("upgradePolicy", {})
    cluster.certificate_authority = {"data": base64.b64encode(f"certificate of {cluster.name}".encode()).decode()}
    if call.state.place:
        cluster.endpoint = call.state.place.endpoint
        cluster.certificate_authority = {"data": call.state.place.certificate}
    issuer = f"https://oidc.eks.{call.region}.amazonaws.com/id/{uuid.uuid4().hex.upper()}"
    cluster.identity = {"oidc": {"issuer": issuer}}
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][call.region]
    subnet = ec2.describe_subnets(subnet_ids=cluster.resources_vpc_config["subnetIds"])[0]
    group = ec2.create_security_group(f"eks-cluster-sg-{cluster.name}", "EKS created security group", subnet.vpc_id)
    cluster.resources_vpc_config |= {"clusterSecurityGroupId": group.id, "vpcId": subnet.vpc_id}


def forget_cluster(call: Call) -> None:
    """With a cluster go its group, add-ons, entries and associations."""
    if call.names["cluster"] in eks_backends[DEFAULT_ACCOUNT_ID][call.region].clusters:
        return
    call.state.extras.pop((call.region, call.names["cluster"]), None)
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][call.region]
    for group in ec2.describe_security_groups(filters={"group-name": [f"eks-cluster-sg-{call.names['cluster']}"]}):
        ec2.delete_security_group(group_id=group.id)


def admit_nodes(call: Call) -> None:
    """EKS lets the nodes of a managed group in by itself, and they start with the cluster's version."""
    nodegroup = call.cluster.nodegroups.get(call.body["nodegroupName"])
    if nodegroup is None:  # moto refused to make it
        return
    nodegroup.version = call.body.get("version", call.cluster.version)
    nodegroup.update_config = call.body.get("updateConfig", {"maxUnavailable": 1})
    nodegroup.node_repair_config = call.body.get("nodeRepairConfig", {"enabled": False})
    # Moto makes up a key pair and a disk; AWS has neither where a launch template decides.
    nodegroup.remote_access = call.body.get("remoteAccess")
    nodegroup.disk_size = None if call.body.get("launchTemplate") else call.body.get("diskSize", 20)
    if call.body["nodeRole"] not in call.extras.entries:
        eks_access.make_entry(call, call.body["nodeRole"], "EC2_LINUX", {})


def update_cluster(call: Call) -> Thing:
    cluster, body = call.cluster, call.body
    cluster.resources_vpc_config |= body.get("resourcesVpcConfig", {})
    cluster.access_config |= body.get("accessConfig", {})
    cluster.upgrade_policy |= body.get("upgradePolicy", {})
    cluster.logging = body.get("logging", cluster.logging)
    return call.update("ConfigUpdate")


def update_version(call: Call) -> Thing:
    asked, current = (tuple(map(int, version.split("."))) for version in (call.body["version"], call.cluster.version))
    if asked != (current[0], current[1] + 1):
        raise AwsError(
            "InvalidParameterException", f"Unsupported Kubernetes minor version update from {current} to {asked}"
        )
    call.cluster.version = call.body["version"]
    return call.update("VersionUpdate")


def update_nodegroup_version(call: Call) -> Thing:
    nodegroup = call.cluster.nodegroups.get(call.names["nodegroup"])
    if nodegroup is None:
        raise missing(f"No node group found for name: {call.names['nodegroup']}.")
    nodegroup.version = call.body.get("version", call.cluster.version)
    nodegroup.launch_template = (nodegroup.launch_template or {}) | call.body.get("launchTemplate", {})
    return call.update("VersionUpdate")


def describe_update(call: Call) -> Thing:
    update = call.state.updates.get(call.names["update"])
    # Updates that moto began are over when moto has answered.
    return {"update": update or {"id": call.names["update"], "status": "Successful", "errors": []}}


def tags_of(call: Call) -> dict[str, str] | None:
    """The tags of one of our own things, or of a managed group, which moto cannot tag; None for what moto can."""
    own = next((thing["tags"] for arn, thing in call.state.things() if arn == call.names["arn"]), None)
    return own if own is not None else tags_of_group(call)


def tags_of_group(call: Call) -> dict[str, str] | None:
    for cluster in eks_backends[DEFAULT_ACCOUNT_ID][call.region].clusters.values():
        for group in cluster.nodegroups.values():
            if group.arn == call.names["arn"]:
                group.tags = group.tags or {}
                return group.tags
    return None


def list_tags(call: Call) -> Thing | None:
    tags = tags_of(call)
    return None if tags is None else {"tags": tags}


def tag(call: Call) -> Thing | None:
    tags = tags_of(call)
    if tags is None:
        return None
    tags.update(call.body["tags"])
    return {}


def untag(call: Call) -> Thing | None:
    tags = tags_of(call)
    if tags is None:
        return None
    for key in call.query["tagKeys"]:
        tags.pop(key, None)
    return {}


CLUSTER = "/clusters/{cluster}"
ADDON = f"{CLUSTER}/addons/{{addon}}"
ENTRY = f"{CLUSTER}/access-entries/{{principal}}"
ASSOCIATION = f"{CLUSTER}/pod-identity-associations/{{association}}"

INSTEAD_OF_MOTO: dict[tuple[str, str], Callable[[Call], Any]] = {
    ("POST", f"{CLUSTER}/update-config"): update_cluster,
    ("POST", f"{CLUSTER}/updates"): update_version,
    ("GET", f"{CLUSTER}/updates/{{update}}"): describe_update,
    ("POST", f"{CLUSTER}/node-groups/{{nodegroup}}/update-version"): update_nodegroup_version,
    ("POST", f"{CLUSTER}/addons"): eks_addons.create_addon,
    ("GET", f"{CLUSTER}/addons"): eks_addons.list_addons,
    ("GET", ADDON): eks_addons.describe_addon,
    ("DELETE", ADDON): eks_addons.delete_addon,
    ("POST", f"{ADDON}/update"): eks_addons.update_addon,
    ("POST", f"{CLUSTER}/access-entries"): eks_access.create_entry,
    ("GET", f"{CLUSTER}/access-entries"): eks_access.list_entries,
    ("GET", ENTRY): eks_access.describe_entry,
    ("POST", ENTRY): eks_access.update_entry,
    ("DELETE", ENTRY): eks_access.delete_entry,
    ("POST", f"{ENTRY}/access-policies"): eks_access.associate_policy,
    ("GET", f"{ENTRY}/access-policies"): eks_access.list_policies,
    ("DELETE", f"{ENTRY}/access-policies/{{policy}}"): eks_access.disassociate_policy,
    ("POST", f"{CLUSTER}/pod-identity-associations"): eks_addons.create_association,
    ("GET", f"{CLUSTER}/pod-identity-associations"): eks_addons.list_associations,
    ("GET", ASSOCIATION): eks_addons.describe_association,
    ("POST", ASSOCIATION): eks_addons.update_association,
    ("DELETE", ASSOCIATION): eks_addons.delete_association,
    ("GET", "/tags/{arn}"): list_tags,
    ("POST", "/tags/{arn}"): tag,
    ("DELETE", "/tags/{arn}"): untag,
}
AFTER_MOTO: dict[tuple[str, str], Callable[[Call], None]] = {
    ("POST", "/clusters"): complete_cluster,
    ("DELETE", CLUSTER): forget_cluster,
    ("POST", f"{CLUSTER}/node-groups"): admit_nodes,
}

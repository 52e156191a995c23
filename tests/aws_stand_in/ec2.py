"""EC2: what moto answers or leaves behind otherwise than AWS."""

from __future__ import annotations

from collections.abc import Callable

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import EC2Backend, ec2_backends


def untangle_template_tags(ec2: EC2Backend) -> None:
    """A launch template's own tags are not among those that it gives to instances and volumes."""
    for template in ec2.launch_templates.values():
        for version in template.versions:
            specifications = version.data.get("TagSpecifications", [])
            version.data["TagSpecifications"] = [
                specification for specification in specifications if specification["ResourceType"] != "launch-template"
            ]


def remove_nat_interfaces(ec2: EC2Backend) -> None:
    """With a NAT gateway goes its network interface."""
    for gateway in ec2.nat_gateways.values():
        for address in gateway.address_set:
            if gateway.state == "deleted" and address.get("networkInterfaceId") in ec2.enis:
                ec2.delete_network_interface(address["networkInterfaceId"])


def describe_rules_of_groups(ec2: EC2Backend) -> None:
    """A rule for another group has a description as one for a range has."""
    for groups in ec2.groups.values():
        for group in groups.values():
            for rule in [*group.ingress_rules, *group.egress_rules]:
                if "Description" in rule.source_group:
                    rule.ip_range["Description"] = rule.source_group["Description"]


AFTER_MOTO: dict[str, Callable[[EC2Backend], None]] = {
    "AuthorizeSecurityGroupEgress": describe_rules_of_groups,
    "AuthorizeSecurityGroupIngress": describe_rules_of_groups,
    "CreateLaunchTemplate": untangle_template_tags,
    "DeleteNatGateway": remove_nat_interfaces,
}


def after_moto(region: str, form: dict[str, str], answered: bytes) -> bytes:
    """Put right what moto made of one call; its answer stays."""
    correct = AFTER_MOTO.get(form["Action"])
    if correct:
        correct(ec2_backends[DEFAULT_ACCOUNT_ID][region])
    return answered

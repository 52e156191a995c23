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


AFTER_MOTO: dict[bytes, Callable[[EC2Backend], None]] = {
    b"Action=CreateLaunchTemplate&": untangle_template_tags,
    b"Action=DeleteNatGateway&": remove_nat_interfaces,
}


def after_moto(region: str, body: bytes) -> None:
    """Put right what moto made of one call."""
    for start, correct in AFTER_MOTO.items():
        if body.startswith(start):
            correct(ec2_backends[DEFAULT_ACCOUNT_ID][region])

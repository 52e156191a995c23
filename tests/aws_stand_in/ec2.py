"""EC2: one answer that moto gives in another shape than AWS."""

from __future__ import annotations

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

CREATES_TEMPLATE = b"Action=CreateLaunchTemplate&"


def untangle_template_tags(region: str) -> None:
    """A launch template's own tags are not among those that it gives to instances and volumes."""
    for template in ec2_backends[DEFAULT_ACCOUNT_ID][region].launch_templates.values():
        for version in template.versions:
            specifications = version.data.get("TagSpecifications", [])
            version.data["TagSpecifications"] = [
                specification for specification in specifications if specification["ResourceType"] != "launch-template"
            ]

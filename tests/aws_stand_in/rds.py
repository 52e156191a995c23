"""RDS: what moto answers otherwise than AWS."""

from __future__ import annotations

import uuid

from moto.core import DEFAULT_ACCOUNT_ID
from moto.rds.models import rds_backends

SAME_FOR_ALL = "db-M5ENSHXFPU6XHZ4G4ZEI5QIO2U"


def after_moto(region: str, form: dict[str, str], answered: bytes) -> bytes:
    """Put right what moto made of one call, and its answer."""
    if form["Action"] == "ModifyDBParameterGroup":
        own_parameters(region)
    if form["Action"] == "CreateDBInstance":
        return complete_instance(region, form, answered)
    return answered


def own_parameters(region: str) -> None:
    """What a user has set is listed as the user's."""
    for group in rds_backends[DEFAULT_ACCOUNT_ID][region].db_parameter_groups.values():
        for parameter in group.parameters.values():
            parameter["Source"] = "user"


def complete_instance(region: str, form: dict[str, str], answered: bytes) -> bytes:
    """Every instance has a resource id of its own (moto gives all the same) and the insights it was asked for."""
    instance = rds_backends[DEFAULT_ACCOUNT_ID][region].databases.get(form["DBInstanceIdentifier"])
    if instance is None or instance.dbi_resource_id != SAME_FOR_ALL:
        return answered
    instance.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
    if form.get("EnablePerformanceInsights") == "true":
        instance.performance_insights_enabled = True
        instance.performance_insights_kms_key_id = form.get("PerformanceInsightsKMSKeyId")
        instance.performance_insights_retention_period = int(form.get("PerformanceInsightsRetentionPeriod", "7"))
    return answered.replace(SAME_FOR_ALL.encode(), instance.dbi_resource_id.encode())

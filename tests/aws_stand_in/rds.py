"""RDS: what moto answers otherwise than AWS."""

from __future__ import annotations

import uuid

from moto.core import DEFAULT_ACCOUNT_ID
from moto.rds.models import DBInstance, rds_backends

MAKES = {"CreateDBInstance", "RestoreDBInstanceFromDBSnapshot"}


def after_moto(region: str, form: dict[str, str], answered: bytes) -> bytes:
    """Put right what moto made of one call, and its answer."""
    if form["Action"] == "ModifyDBParameterGroup":
        own_parameters(region)
    instance = rds_backends[DEFAULT_ACCOUNT_ID][region].databases.get(form.get("DBInstanceIdentifier", ""))
    if instance is None or b"<DBInstance>" not in answered:  # moto refused
        return answered
    if form.get("EnablePerformanceInsights") == "true":
        enable_insights(instance, form)
    return own_id(instance, answered) if form["Action"] in MAKES else answered


def own_parameters(region: str) -> None:
    """What a user has set is listed as the user's."""
    for group in rds_backends[DEFAULT_ACCOUNT_ID][region].db_parameter_groups.values():
        for parameter in group.parameters.values():
            parameter["Source"] = "user"


def own_id(instance: DBInstance, answered: bytes) -> bytes:
    """Every instance has a resource id of its own; moto gives all the same, and a restored one its origin's."""
    before, instance.dbi_resource_id = instance.dbi_resource_id, f"db-{uuid.uuid4().hex[:26].upper()}"
    return answered.replace(before.encode(), instance.dbi_resource_id.encode())


def enable_insights(instance: DBInstance, form: dict[str, str]) -> None:
    """An instance has the insights that it was asked for, at its making or later."""
    instance.performance_insights_enabled = True
    instance.performance_insights_kms_key_id = form.get("PerformanceInsightsKMSKeyId")
    instance.performance_insights_retention_period = int(form.get("PerformanceInsightsRetentionPeriod", "7"))

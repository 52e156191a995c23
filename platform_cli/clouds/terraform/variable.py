"""The variables of a Terraform root that follow from `platform.yaml`; what is not set there stays as the root says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_cli.config import Config, Infrastructure


def list_variables(config: Config, own: Mapping[str, Any]) -> dict[str, Any]:
    """Name to value. `own` are those that only this cloud has; an unset value (None) is left out."""
    wish = config.infrastructure
    given = {
        "environment": config.env.value,
        "product": config.name,
        "profile": wish.profile,
        "owner": wish.owner,
        "tenant": wish.tenant,
        "kubernetes_version": wish.kubernetes_version,
        "deletion_protection": wish.deletion_protection,
        "database": {"engine": wish.database} if wish.database else None,
        "network": {"cidr": str(wish.cidr)} if wish.cidr else None,
        "budget": _budget(wish),
        "cluster_access": _access(wish),
        "tags": dict(wish.tags) or None,
        **own,
    }
    return {name: value for name, value in given.items() if value is not None}


def _budget(wish: Infrastructure) -> dict[str, Any] | None:
    if wish.budget_usd is None:
        return None
    return {"monthly_usd": wish.budget_usd, "alert_emails": list(wish.budget_emails)}


def _access(wish: Infrastructure) -> dict[str, Any] | None:
    """The endpoint is public once somebody is named who may reach it."""
    if not wish.cluster_cidrs and not wish.cluster_admins:
        return None
    cidrs = [str(cidr) for cidr in wish.cluster_cidrs]
    return {"public": bool(cidrs), "cidrs": cidrs, "admins": list(wish.cluster_admins)}


def list_tags(config: Config) -> dict[str, str]:
    """Tags of a store of states. It has no deployment id, so that no sweep takes it for a left-over."""
    wish = config.infrastructure
    owner = {"owner": wish.owner} if wish.owner else {}
    return {"managed-by": "mlops", "product": config.name, "purpose": "terraform-state", **owner, **wish.tags}

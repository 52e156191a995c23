"""The variables of a Terraform root that follow from `platform.yaml`; what is not set there stays as the root says."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.errors import ConfigError
from platform_cli.hcl.block import list_files, read_blocks

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


def choose_variables(wanted: Mapping[str, Any], given: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What is `given` by keys of their own, and the other variables of the root that are `wanted`.

    Raises:
        ConfigError: the root has no such variable, which Terraform would only warn of, or a key sets it already.
    """
    problems = tuple(_find_problems(wanted, given, root))
    if problems:
        raise ConfigError(f"terraform.variables does not fit {root}", hint="mlops config schema", details=problems)
    return {**given, **wanted}


def _find_problems(wanted: Mapping[str, Any], given: Mapping[str, Any], root: Path) -> Iterator[str]:
    known = _list_declared(root) if wanted and root.is_dir() else wanted.keys()
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1)
            yield f"terraform.variables.{name}: no such variable" + (f", did you mean {near[0]}?" if near else "")
        elif name in given:
            yield f"terraform.variables.{name}: another key of platform.yaml, or a flag, sets it already"


def _list_declared(root: Path) -> Collection[str]:
    blocks = (block for path in list_files(root) for block in read_blocks(path))
    return {block.labels[0] for block in blocks if block.kind == "variable"}


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

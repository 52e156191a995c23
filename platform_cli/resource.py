"""What Terraform says it will do to each resource, as plain values that a plan can hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Action(StrEnum):
    """What happens to one resource."""

    NONE = "no-op"
    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DESTROY = "destroy"
    FORGET = "forget"


HARMLESS = frozenset({Action.NONE, Action.READ})
"""Actions that change nothing in the cloud or the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """One resource's part in a Terraform plan, or one object's in what a Helm release does.

    Attributes:
        address: such as `module.platform.aws_vpc.this` or `argo/Deployment/argo-server`.
        holds_data: whether what it holds is lost with it.
        unknown: attributes whose value is known after apply only, by name.
        because: attributes that force a replacement, by path such as `engine_version`; or that it was not made in full.
        changed: the first attributes that change, by path; told of objects on a cluster.
    """

    address: str
    type: str
    action: Action
    holds_data: bool = False
    unknown: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def endangers_data(self) -> bool:
        """Whether data is lost by it."""
        return self.holds_data and self.action in (Action.REPLACE, Action.DESTROY)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyCost:
    """List prices of a month, in US dollars, before and after a plan.

    Attributes:
        unknown: addresses whose price the table cannot tell; they are not in the sums.
        unlisted: resource types that the table does not know; most cost nothing.
        by_use: resource types that are billed by use on top, which no plan knows.
        source: where the prices are from.
    """

    before_usd: float
    after_usd: float
    unknown: tuple[str, ...]
    unlisted: tuple[str, ...]
    by_use: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPlan:
    """Terraform's saved plan of one root.

    Attributes:
        file: the saved plan; what is applied is this very file.
        digest: SHA-256 of everything it does: equal changes to an equal state, equal digest.
        changes: every resource but those nothing happens to.
        outputs: names of outputs that change.
        cost: what it changes in a month's bill; None where nothing changes or no price table fits.
    """

    file: Path
    digest: str
    changes: tuple[ResourceChange, ...]
    outputs: tuple[str, ...] = ()
    cost: MonthlyCost | None = None

    def select(self, *actions: Action) -> tuple[ResourceChange, ...]:
        """The changes with one of these actions."""
        return tuple(change for change in self.changes if change.action in actions)

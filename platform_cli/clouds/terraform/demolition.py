"""Terraform's part of a destroy: what goes, what stays, what is lifted first, and doing exactly that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.clouds.interface import Look
from platform_cli.clouds.terraform.deployment import describe_deployment, remember
from platform_cli.clouds.terraform.inventory import Inventory, Item, read_inventory
from platform_cli.clouds.terraform.planner import Planner
from platform_cli.clouds.terraform.protection import Guards, find_guarded, require_harmless
from platform_cli.clouds.terraform.removal import kept_file, name_lift
from platform_cli.clouds.terraform.retention import Kept, Retention, describe, find_kept, name_snapshot, read_kept
from platform_cli.errors import RefusedError, StateError
from platform_cli.events import Emit, Notice
from platform_cli.plan import Operation
from platform_cli.resource import Action, ResourceChange, RootPlan
from platform_cli.stage import TerraformRoot

if TYPE_CHECKING:
    from platform_cli.clouds.terraform.provider import Provider

_UNPROTECTED = {"deletion_protection": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was seen before a destroy: `document` is Terraform's own, `stays` is what is kept."""

    document: Mapping[str, Any]
    inventory: Inventory
    stays: tuple[Item, ...]
    snapshot: str

    @property
    def goes(self) -> tuple[Item, ...]:
        return tuple(item for item in self.inventory.items if item not in self.stays)


@dataclass(frozen=True, slots=True)
class Demolition:
    """The destroy of one root; nothing is read before a method is called."""

    planner: Planner
    provider: Provider

    def plan(self, look: Look) -> dict[str, RootPlan]:
        """Terraform's plans by root: what is destroyed, and before it what lifts the protection of that.

        Raises:
            RefusedError: lifting would change more than the protection, or what is to be kept would go.
            ToolError: Terraform failed.
        """
        whole = self._unprotected().plan(look)
        seen = self._see(whole.file, keep_data=look.keep_data)
        for line in self._describe(seen):
            look.emit(Notice(level="info", text=f"kept: {line}"))
        root = self._plan_rest(look, seen) if look.keep_data else self._with_snapshots(whole)
        if not seen.goes:
            # No stage will run that remembers it.
            self._remember(seen, keep_data=look.keep_data)
        return {self._name: root, name_lift(self._name): self._plan_lift(look, seen)}

    def destroy(self, work: TerraformRoot, emit: Emit) -> str:
        """Destroy what was planned. What the lifting made stale is planned again, and may not have grown.

        Raises:
            StateError: more would go than was confirmed.
            ToolError: Terraform failed; the next destroy goes on from there.
        """
        if work.plan is not None and work.plan.is_file():
            self._remember(self._see(work.plan, keep_data=work.keeps), keep_data=work.keeps)
            return self.planner.apply(work, emit)
        look = Look(operation=Operation.DESTROY, emit=emit, keep_data=work.keeps)
        whole = self._unprotected().plan(look)
        seen = self._see(whole.file, keep_data=work.keeps)
        self._remember(seen, keep_data=work.keeps)
        root = self._plan_rest(look, seen) if work.keeps else whole
        going = [change for change in root.changes if change.action is not Action.READ]
        if len(going) > work.resources or any(change.action is not Action.DESTROY for change in going):
            raise StateError(f"{self._name}: the state was changed meanwhile", hint="run the same command again")
        if not going:
            return "nothing to destroy"
        return self.planner.apply(replace(work, plan=root.file, resources=len(going)), emit)

    def _see(self, file: Path, *, keep_data: bool) -> _Seen:
        """From a saved plan: it holds the state that it was made from."""
        document = self.planner.terraform().show_plan(file)
        inventory = read_inventory(document)
        retention = self._retention if keep_data else Retention()
        stays = find_kept(inventory, retention)
        return _Seen(document=document, inventory=inventory, stays=stays, snapshot=name_snapshot(inventory, retention))

    def _plan_rest(self, look: Look, seen: _Seen) -> RootPlan:
        """Only what goes. Without targets Terraform would destroy everything, so that nothing is asked for then."""
        targets = [item.address for item in seen.goes]
        if not targets:
            return self._nothing
        root = self._unprotected().plan(look, targets=targets)
        wrong = {item.address for item in seen.stays} & {change.address for change in root.changes}
        if wrong:
            raise RefusedError(
                f"{self._name}: what is to be kept would go as well; nothing was changed", details=tuple(sorted(wrong))
            )
        return root

    def _plan_lift(self, look: Look, seen: _Seen) -> RootPlan:
        guarded = find_guarded(seen.goes, self._guards(seen))
        if not guarded:
            return self._nothing
        planner = self._unprotected(self._final(seen))
        lift = planner.plan(look, targets=[item.address for item in guarded], destroy=False)
        require_harmless(self._name, lift)
        return lift

    def _guards(self, seen: _Seen) -> Guards:
        """A database that leaves a snapshot is let go by other values."""
        guards = self.provider.guards
        if not seen.snapshot:
            return guards
        kind = self._retention.snapshot
        own = {**guards.get(kind, {}), **self._retention.opened, "final_snapshot_identifier": seen.snapshot}
        return {**guards, kind: own}

    def _final(self, seen: _Seen) -> dict[str, Any]:
        return {self._retention.variable: {"final": seen.snapshot}} if seen.snapshot else {}

    def _remember(self, seen: _Seen, *, keep_data: bool) -> None:
        """Before anything goes: from now on only this tells what to search for, and what was kept."""
        home = self.planner.copy.home
        deployment = describe_deployment(seen.inventory)
        if deployment is not None:
            remember(home.root, deployment)
        if keep_data:
            older = read_kept(kept_file(home)).snapshots
            fresh = (seen.snapshot,) if seen.snapshot and seen.snapshot not in older else ()
            Kept(
                addresses=tuple(item.address for item in seen.stays),
                lines=self._describe(seen),
                names=tuple(sorted({name for item in seen.stays for name in item.names})),
                snapshots=(*older, *fresh),
            ).write(kept_file(home))

    def _describe(self, seen: _Seen) -> tuple[str, ...]:
        copy = self.planner.copy
        snapshot = (f"database snapshot {seen.snapshot}: billed by use",) if seen.snapshot else ()
        prices = copy.source.parent / "prices"
        return (*snapshot, *describe(seen.stays, self._retention, seen.document, prices, copy.target.cloud))

    def _with_snapshots(self, root: RootPlan) -> RootPlan:
        """The plan with the snapshots that were kept earlier and go now too."""
        names: Sequence[str] = read_kept(kept_file(self.planner.copy.home)).snapshots
        more = tuple(
            ResourceChange(address=f"snapshot {name}", type="snapshot", action=Action.DESTROY, holds_data=True)
            for name in names
        )
        return replace(root, changes=(*root.changes, *more))

    def _unprotected(self, more: Mapping[str, Any] | None = None) -> Planner:
        return replace(self.planner, variables={**self.planner.variables, **_UNPROTECTED, **(more or {})})

    @property
    def _retention(self) -> Retention:
        return self.provider.retention or Retention()

    @property
    def _nothing(self) -> RootPlan:
        return RootPlan(file=self.planner.copy.plans / "nothing", digest="", changes=())

    @property
    def _name(self) -> str:
        return self.planner.copy.name

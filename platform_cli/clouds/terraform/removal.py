"""A destroy on a cloud: its stages, Terraform's part, the files on this machine, and the proof that nothing is left."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from platform_cli.clouds.embedded import files
from platform_cli.clouds.interface import Proof
from platform_cli.clouds.terraform.deployment import REMEMBERED, Deployment, recall
from platform_cli.clouds.terraform.provider import DropSnapshots, Sweep, Swept
from platform_cli.clouds.terraform.retention import Kept, read_kept
from platform_cli.clouds.terraform.state import Record
from platform_cli.errors import RefusedError, StateError
from platform_cli.journal import list_files
from platform_cli.layout import TargetHome
from platform_cli.stage import RemoveFiles, Stage, TerraformRoot

ROOT_STAGE = "infrastructure"
LIFT_STAGE = "lift-protection"
_KEPT = "kept.json"


def list_removals(
    work: TerraformRoot, home: TargetHome, *, keep_data: bool, cluster: Sequence[Stage] = ()
) -> tuple[Stage, ...]:
    """The stages of a destroy, in order: what runs on the `cluster`, then protection, infrastructure and files.

    `cluster` are the stages that need the cluster's API, in their own order; none where it is gone or was never made.
    """
    earlier = tuple(stage.name for stage in cluster[-1:])
    lift = replace(work, root=name_lift(work.root), destroys=False)
    keep = (home.root / REMEMBERED, *((home.terraform, home.backups) if keep_data else ()))
    return (
        *cluster,
        Stage(LIFT_STAGE, "deletion protection", lift, earlier),
        Stage(ROOT_STAGE, "infrastructure", replace(work, destroys=True, keeps=keep_data), (*earlier, LIFT_STAGE)),
        Stage("remove-files", "files", RemoveFiles(home.root, keep), (ROOT_STAGE,)),
    )


def name_lift(root: str) -> str:
    """What the plan that lifts the protection of a root is called."""
    return f"{root} protection"


def kept_file(home: TargetHome) -> Path:
    """Where it is remembered what `--keep-data` kept."""
    return home.terraform / _KEPT


def list_entries(home: TargetHome) -> frozenset[Path]:
    """What stands in the target's folder, but the journal."""
    journal = list_files(home.journal)
    return frozenset(path for path in files.list_entries(home.root) if path not in journal)


def find_deployment(home: TargetHome, record: Record | None) -> tuple[str, str]:
    """Id and region that everything is tagged with: from the state, or as remembered since a destroy began."""
    if record and record.outputs.get("deployment_id"):
        return str(record.outputs["deployment_id"]), str(record.outputs.get("region", ""))
    remembered = recall(home.root)
    return (remembered.id, remembered.region) if remembered else ("", "")


def remove_files(work: RemoveFiles, home: TargetHome, record: Record | None, drop: DropSnapshots | None) -> str:
    """Remove the target's files, and first the snapshots that only they know; the journal goes last, by its writer.

    Raises:
        StateError: the state still holds resources, and would be lost.
        ToolError: the cloud would not delete a snapshot.
    """
    keeps = home.terraform in work.keep
    if record and record.resources and not keeps:
        raise StateError(f"{home.terraform}: the state still holds {len(record.resources)} resources")
    snapshots = () if keeps else _drop_snapshots(home, drop)
    count = files.remove_tree(work.root, keep=(*work.keep, *list_files(home.journal)))
    gone = f"snapshots {', '.join(snapshots)} deleted, " if snapshots else ""
    return f"{gone}{count} entries below {work.root}"


def prove_gone(
    home: TargetHome, record: Record | None, deployment: tuple[str, str], sweep: Sweep | None, *, keep_data: bool
) -> Proof:
    """Look into the state, the cloud and the target's folder.

    The deployment is forgotten once nothing was left and everything could be searched.
    """
    kept = read_kept(kept_file(home)) if keep_data else Kept()
    in_state = tuple(item.address for item in record.resources if item.address not in kept.addresses) if record else ()
    swept = _sweep(home, deployment, sweep, kept)
    if not swept.leftovers and not (sweep and swept.unchecked):
        (home.root / REMEMBERED).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            home.root.rmdir()
    stays = {home.root / REMEMBERED, *((home.terraform, home.backups) if keep_data else ())}
    left = tuple(str(path) for path in files.list_entries(home.root) if path not in stays)
    checked = ("no resource in Terraform's state", *swept.checked, f"no file below {home.root}")
    place = (f"{home.terraform}: the state of what was kept; mlops deploy adopts it",) if kept.addresses else ()
    return Proof(checked, (*in_state, *swept.leftovers, *left), (*kept.lines, *place, *swept.kept), swept.unchecked)


def require_retention(name: str, *, possible: bool) -> None:
    """Refuse to keep data where nothing outlives the cluster.

    Raises:
        RefusedError: nothing does.
    """
    if not possible:
        raise RefusedError(
            f"{name}: --keep-data: all data lives in the cluster and goes with it; nothing was changed",
            hint="copy what you need, then destroy without it",
        )


def _sweep(home: TargetHome, deployment: tuple[str, str], sweep: Sweep | None, kept: Kept) -> Swept:
    known = recall(home.root) or (Deployment(id=deployment[0], region=deployment[1]) if deployment[0] else None)
    if known is None:
        return Swept(unchecked=("the cloud: no deployment is known",))
    if sweep is None:
        return Swept(checked=(f"nothing but Terraform makes anything for {known.id}",))
    return sweep(replace(known, kept=frozenset((*kept.names, *kept.snapshots))))


def _drop_snapshots(home: TargetHome, drop: DropSnapshots | None) -> tuple[str, ...]:
    snapshots, known = read_kept(kept_file(home)).snapshots, recall(home.root)
    if not snapshots or drop is None or known is None:
        return ()
    drop(known, snapshots)
    return snapshots

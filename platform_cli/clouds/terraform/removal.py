"""After Terraform's destroy: the files on this machine, and the proof that nothing is left in the cloud."""

from __future__ import annotations

import json
from pathlib import Path

from platform_cli.clouds.embedded import files
from platform_cli.clouds.interface import Proof
from platform_cli.clouds.terraform.provider import Deployment, Sweep, Swept
from platform_cli.clouds.terraform.state import Record
from platform_cli.errors import StateError
from platform_cli.journal import list_files
from platform_cli.layout import TargetHome
from platform_cli.stage import RemoveFiles

_REMEMBERED = "left-overs.json"


def list_entries(home: TargetHome) -> frozenset[Path]:
    """What stands in the target's folder, but the journal."""
    journal = list_files(home.journal)
    return frozenset(path for path in files.list_entries(home.root) if path not in journal)


def find_deployment(home: TargetHome, record: Record | None) -> tuple[str, str]:
    """Id and region that everything is tagged with: from the state, or as remembered from a destroy that left some."""
    if record and record.outputs.get("deployment_id"):
        return str(record.outputs["deployment_id"]), str(record.outputs.get("region", ""))
    remembered = home.root / _REMEMBERED
    if remembered.is_file():
        found = json.loads(remembered.read_text("utf-8"))
        return str(found["id"]), str(found["region"])
    return "", ""


def remove_files(work: RemoveFiles, home: TargetHome, record: Record | None) -> str:
    """Remove the target's files; the journal goes last, by the command that writes it.

    Raises:
        StateError: the state still holds resources, and would be lost.
    """
    if record and record.resources:
        raise StateError(f"{home.terraform}: the state still holds {len(record.resources)} resources")
    count = files.remove_tree(work.root, keep=(*work.keep, *list_files(home.journal)))
    return f"{count} entries below {work.root}"


def prove_gone(home: TargetHome, record: Record | None, deployment: tuple[str, str], sweep: Sweep | None) -> Proof:
    """Look into the state, the cloud and the target's folder. What is left in the cloud is remembered for next time."""
    in_state = tuple(resource.address for resource in record.resources) if record else ()
    swept = _sweep(deployment, sweep)
    if swept.leftovers:
        _remember(home, deployment)
    left = () if swept.leftovers else tuple(str(path) for path in files.list_entries(home.root))
    checked = ("no resource in Terraform's state", *swept.checked, f"no file below {home.root}")
    return Proof(checked, (*in_state, *swept.leftovers, *left), swept.kept, swept.unchecked)


def _sweep(deployment: tuple[str, str], sweep: Sweep | None) -> Swept:
    if not deployment[0]:
        return Swept(unchecked=("the cloud: no deployment is known",))
    if sweep is None:
        return Swept(unchecked=(f"the cloud: this version cannot search it for deployment-id={deployment[0]}",))
    return sweep(Deployment(id=deployment[0], region=deployment[1]))


def _remember(home: TargetHome, deployment: tuple[str, str]) -> None:
    files.make_folders([home.root])
    text = json.dumps({"id": deployment[0], "region": deployment[1]})
    (home.root / _REMEMBERED).write_text(text + "\n", encoding="utf-8")

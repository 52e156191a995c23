"""What a plan is made of: stages, each with one of a closed union of works, and the facts they are held against."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_cli.cluster.work import ClusterFacts, ClusterWork
from platform_cli.resource import RootPlan


@dataclass(frozen=True, slots=True)
class Folders:
    """Have these folders, closed to other users."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """Have a named set of text files that workflow steps read: `data` is file name to content."""

    config_map: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TrackingDatabase:
    """Have MLflow's SQLite database at the schema of MLflow `version`."""

    database: Path
    artifacts: Path
    version: str


@dataclass(frozen=True, slots=True)
class ModelServers:
    """Have a running server for each model that was deployed."""


@dataclass(frozen=True, slots=True)
class StopModelServers:
    """End every model server and forget its deployment."""


@dataclass(frozen=True, slots=True)
class StopRuns:
    """End every workflow engine and its steps."""


@dataclass(frozen=True, slots=True)
class StopDashboards:
    """End every dashboard that `port-forward` opened."""


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    """Remove everything below `root` but `keep`, which are paths below it."""

    root: Path
    keep: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class TerraformRoot:
    """Have what a Terraform root describes, or, when it `destroys`, nothing of it.

    Attributes:
        root: such as `aws/dev`.
        inputs: SHA-256 of the root's files and variables.
        keeps: of a destroy, whether what holds data stays.
        plan: the saved plan to apply; None until Terraform has planned.
        changes: SHA-256 of what that plan does.
        resources: how many resources it changes.
    """

    root: str
    inputs: str
    destroys: bool = False
    keeps: bool = False
    plan: Path | None = None
    changes: str = ""
    resources: int = 0


Work = (
    Folders
    | ConfigMap
    | TrackingDatabase
    | ModelServers
    | StopModelServers
    | StopRuns
    | StopDashboards
    | RemoveFiles
    | TerraformRoot
    | ClusterWork
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One unit of a plan.

    Attributes:
        name: unique in its plan; the journal's key.
        title: what people read.
        needs: names of earlier stages.
    """

    name: str
    title: str
    work: Work
    needs: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of everything the stage will do: equal inputs, equal digest."""
        return digest_of({"kind": type(self.work).__name__, **dataclasses.asdict(self.work)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was seen on a target before planning.

    Attributes:
        folders: private folders that exist.
        config_maps: digest of the content of each ConfigMap, by name.
        tracking: whether there is a tracking database.
        servers: deployed models; `servers_down` are those whose server does not run.
        runs: workflow runs whose engine is alive.
        dashboards: dashboards that run.
        listeners: addresses (URLs) where servers of the target listen.
        entries: what stands directly in the target's folder; the folder itself when it is empty.
        roots: what Terraform planned for each root, by name.
        cluster: what was seen on the cluster; None while there is none.
        deployment: the id and the region that everything in the cloud is tagged with, where known.
        applied: digest with which each stage last ended well, by name.
        interrupted: stages that began and did not end well: whatever they look like, they run again.
    """

    folders: frozenset[Path] = frozenset()
    config_maps: Mapping[str, str] = field(default_factory=dict)
    tracking: bool = False
    servers: tuple[str, ...] = ()
    servers_down: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    dashboards: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()
    entries: frozenset[Path] = frozenset()
    roots: Mapping[str, RootPlan] = field(default_factory=dict)
    cluster: ClusterFacts | None = None
    deployment: tuple[str, str] = ("", "")
    applied: Mapping[str, str] = field(default_factory=dict)
    interrupted: frozenset[str] = frozenset()


def digest_of(value: Any) -> str:
    """SHA-256, in hexadecimal, of plain data; the order of mappings does not matter."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

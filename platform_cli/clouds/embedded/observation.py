"""What is there now, seen without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from platform_cli.clouds.embedded import files
from platform_cli.clouds.embedded.dashboard import list_dashboards
from platform_cli.errors import StateError
from platform_cli.journal import read_history
from platform_cli.layout import TargetHome
from platform_cli.stage import Facts

if TYPE_CHECKING:
    from platform_cli.serving.interface import Endpoint, Serving
    from platform_cli.workflow.interface import Engine

_LIVE_PHASES = ("Pending", "Running")
_DOWN = ("crashed", "stopped")
_MANY = 10_000


def observe(
    home: TargetHome, *, folders: Iterable[Path], engine: Callable[[], Engine], serving: Callable[[], Serving]
) -> Facts:
    """Look at the folder, database, runs, servers, dashboards and journal; opens only what was ever used."""
    history = read_history(home.journal)
    models, unreadable = _look_at_models(home, serving)
    dashboards = list_dashboards(home.dashboards)
    return Facts(
        folders=frozenset(path for path in folders if files.is_private_folder(path)),
        config_maps=files.digest_config_maps(home.config_maps),
        tracking=home.tracking_database.is_file(),
        servers=(*(model.name for model in models), *unreadable),
        servers_down=(*(model.name for model in models if model.state in _DOWN), *unreadable),
        runs=_list_runs(home, engine),
        dashboards=tuple(str(found) for found in dashboards),
        listeners=(*(model.url for model in models), *(found.url for found in dashboards)),
        entries=frozenset(files.list_entries(home.root) or [home.root] * home.root.is_dir()),
        applied=history.applied,
        interrupted=history.interrupted,
    )


def _look_at_models(home: TargetHome, serving: Callable[[], Serving]) -> tuple[tuple[Endpoint, ...], tuple[str, ...]]:
    """The deployed models; records that cannot be read are told beside them."""
    try:
        return list_models(home, serving), ()
    except StateError as error:
        return (), (error.message,)


def _list_runs(home: TargetHome, engine: Callable[[], Engine]) -> tuple[str, ...]:
    """The live runs; a database that cannot be read counts as one, so that destroy looks after its processes."""
    try:
        return list_live_runs(home, engine)
    except StateError as error:
        return (error.message,)


def list_live_runs(home: TargetHome, engine: Callable[[], Engine]) -> tuple[str, ...]:
    """Names of the runs that have not ended."""
    if not home.engine.is_dir() or not any(home.engine.iterdir()):
        return ()
    runs = engine().list(limit=_MANY)
    return tuple(run["metadata"]["name"] for run in runs if run.get("status", {}).get("phase") in _LIVE_PHASES)


def list_models(home: TargetHome, serving: Callable[[], Serving]) -> tuple[Endpoint, ...]:
    """Every deployed model."""
    return serving().list() if files.list_entries(home.serving) else ()

"""How each layer of the embedded platform is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from platform_cli.clouds.embedded import files
from platform_cli.clouds.embedded.observation import list_live_runs, list_models
from platform_cli.errors import MlopsError
from platform_cli.layout import TargetHome
from platform_cli.status import Health, Layer
from platform_cli.tools.mlflow_database import read_revision

if TYPE_CHECKING:
    from platform_cli.serving.interface import Serving
    from platform_cli.workflow.interface import Engine

_LOW_BYTES = 1024**3
_MODEL_HEALTH = {
    "ready": Health.OK,
    "starting": Health.DEGRADED,
    "crashed": Health.DOWN,
    "stopped": Health.DOWN,
}


def inspect(
    home: TargetHome, *, folders: Iterable[Path], engine: Callable[[], Engine], serving: Callable[[], Serving]
) -> tuple[Layer, ...]:
    """Every layer, from the ground up."""
    return (
        _inspect_folders(folders),
        _inspect_disk(home),
        _inspect_tracking(home),
        _inspect_engine(home, engine),
        *_inspect_models(home, serving),
    )


def _inspect_folders(folders: Iterable[Path]) -> Layer:
    wrong = [path.name for path in folders if not files.is_private_folder(path)]
    if wrong:
        return Layer(
            "folders", Health.DEGRADED, f"missing or open to others: {', '.join(wrong)}; mlops deploy mends it"
        )
    return Layer("folders", Health.OK, "all there, closed to other users")


def _inspect_disk(home: TargetHome) -> Layer:
    free = shutil.disk_usage(home.root).free
    health = Health.OK if free >= _LOW_BYTES else Health.DEGRADED
    return Layer("disk", health, f"{free / 1024**3:.1f} GiB free")


def _inspect_tracking(home: TargetHome) -> Layer:
    try:
        revision = read_revision(home.tracking_database)
    except MlopsError as error:
        return Layer("tracking", Health.DOWN, error.message)
    if revision is None:
        return Layer("tracking", Health.DOWN, "there is no database; mlops deploy makes it")
    return Layer("tracking", Health.OK, f"schema {revision}")


def _inspect_engine(home: TargetHome, engine: Callable[[], Engine]) -> Layer:
    try:
        runs = list_live_runs(home, engine)
    except MlopsError as error:
        return Layer("engine", Health.DOWN, error.message)
    return Layer("engine", Health.OK, f"running: {', '.join(runs)}" if runs else "no workflow is running")


def _inspect_models(home: TargetHome, serving: Callable[[], Serving]) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            f"model {model.name}", _MODEL_HEALTH[model.state], model.reason or f"version {model.version} at {model.url}"
        )
        for model in list_models(home, serving)
    )

"""Restore: read a backup, ask, and put it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from platform_cli.change import changing, holding
from platform_cli.clouds.interface import Upgrades
from platform_cli.cluster.restore import Saved, read_backup
from platform_cli.errors import UsageError
from platform_cli.events import Emit, Notice

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Cloud
    from platform_cli.layout import TargetHome
    from platform_cli.target import Target


def restore(
    cloud: Cloud, target: Target, home: TargetHome, name: str, *, confirm: Callable[[Saved], None], emit: Emit
) -> tuple[str, ...]:
    """Put a backup of an upgrade back, by its name or path; returns lines about it, which are told as well.

    Raises:
        UsageError: the cloud has no components, hence no backups.
        NotFoundError: there is no such backup.
        RefusedError: the answer was no; nothing was changed.
        MlopsError: something could not be put back; the same command again goes on.
    """
    if not isinstance(cloud, Upgrades):
        raise UsageError(f"{target} has no components, and no backups of them")
    saved = read_backup(home.backups, name)
    with changing(home, target, "mlops restore"):
        confirm(saved)
        with holding(cloud, "mlops restore"):
            lines = cloud.restore(saved, emit)
    for line in lines:
        emit(Notice(level="info", text=line))
    return lines

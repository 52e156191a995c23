"""What must be true of this machine for the embedded cloud."""

from __future__ import annotations

import sys
from functools import partial

from platform_cli import doctor
from platform_cli.config import Embedded
from platform_cli.doctor import Check, Finding
from platform_cli.layout import TargetHome

_ML = ("mlflow", "scikit-learn", "pandas", "pyarrow", "uvicorn")
_SQLITE_SPECIAL = "?#%"


def list_checks(config: Embedded, home: TargetHome) -> tuple[Check, ...]:
    """Every check, the cheapest first."""
    return (
        Check("python", doctor.check_python),
        Check("packages", partial(doctor.check_extra, _ML, "ml")),
        Check("folder", partial(doctor.check_folder, home.root)),
        Check("path", partial(_check_path, home)),
        Check("disk", partial(doctor.check_disk, home.root)),
        Check("sqlite", partial(doctor.check_wal, home.root)),
        Check("serving-port", partial(doctor.check_port, config.host, config.serving_port)),
        Check("mlflow-port", partial(doctor.check_port, config.host, config.mlflow_port)),
        Check("isolation", _check_isolation),
    )


def _check_path(home: TargetHome) -> Finding:
    """MLflow takes the database's place as a URL, where these characters mean something else."""
    strange = [letter for letter in _SQLITE_SPECIAL if letter in str(home.root)]
    fix = "move the project to a folder without these characters in its path"
    return Finding(not strange, f"{home.root}" + (f" has {' '.join(strange)} in it" if strange else ""), fix)


def _check_isolation() -> Finding:
    """Without private mounts the engine rewrites paths; fine for most steps, so this only advises."""
    from platform_cli.workflow.mount import probe

    if probe():
        return Finding(ok=True, found="each step gets folders of its own (mount namespaces)")
    why = "not Linux" if sys.platform != "linux" else "the kernel refuses user namespaces"
    return Finding(ok=False, found=f"no private mounts: {why}", fix="paths of steps are rewritten", advises=True)

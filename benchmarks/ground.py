"""Where the races are run: environments, projects and files that are made once and kept in `.cache/bench`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
METAFLOW = "metaflow==2.19.39"
MLOPS = Path(sys.executable).parent / "mlops"


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a deployed embedded platform of its own."""

    folder: Path

    @property
    def home(self) -> Path:
        """The target's folder."""
        return self.folder / ".mlops" / "embedded-dev"


def clean_environment(**extra: str) -> dict[str, str]:
    """What a new user's shell has, so that nobody's settings decide a race."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "NO_COLOR": "1", **extra}


def open_project(name: str) -> Project:
    """A fresh project, deployed."""
    project = Project(CACHE / "projects" / name)
    if project.folder.exists():
        close_project(project)
    project.folder.mkdir(parents=True)
    (project.folder / "platform.yaml").write_text(f"version: 1\nname: bench-{name}\n", "utf-8")
    _run([MLOPS, "deploy", "--yes"], project.folder)
    return project


def close_project(project: Project) -> None:
    """Take the platform down and remove the folder."""
    _run([MLOPS, "destroy", "--yes"], project.folder)
    shutil.rmtree(project.folder)


def metaflow_python() -> Path:
    """The Python of an environment that holds Metaflow alone."""
    folder = CACHE / "metaflow-venv"
    python = folder / "bin" / "python"
    stamp = folder / METAFLOW
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", folder], ROOT)
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", METAFLOW], ROOT)
        stamp.touch()
    return python


def metaflow_environment() -> dict[str, str]:
    """Metaflow with files on this machine and nothing else."""
    folder = CACHE / "metaflow"
    folder.mkdir(parents=True, exist_ok=True)
    return clean_environment(
        METAFLOW_USER="bench",
        METAFLOW_HOME=str(folder / "home"),
        METAFLOW_DEFAULT_DATASTORE="local",
        METAFLOW_DEFAULT_METADATA="local",
        METAFLOW_DATASTORE_SYSROOT_LOCAL=str(folder),
    )


def _run(argv: list[str | Path], cwd: Path) -> None:
    done = subprocess.run(
        [str(part) for part in argv], cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")

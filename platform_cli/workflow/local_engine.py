"""Runs workflows on this machine, without a cluster or a container engine."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from platform_cli.errors import StateError, ToolError
from platform_cli.events import Emit, LogLine
from platform_cli.layout import TargetHome
from platform_cli.process import scrub_environment, spawn_detached
from platform_cli.workflow import mount, run_log
from platform_cli.workflow.artifact import ArtifactStore, remove_tree
from platform_cli.workflow.database import Database
from platform_cli.workflow.drive_lock import try_hold
from platform_cli.workflow.interface import Submission, WorkflowObject, leave
from platform_cli.workflow.recovery import reconcile_runs, reopen, stop_run
from platform_cli.workflow.step_output import LOG_LIMIT_BYTES
from platform_cli.workflow.store import RESUME_FILE, Run, RunStore
from platform_cli.workflow.volume import is_same_folder, write_folder

_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_DETACHED = (
    "import sys; sys.path.insert(0, {root!r}); from platform_cli.workflow.detached import main; main(sys.argv[1:])"
)
_OVER = ("Succeeded", "Failed", "Error")
_PATIENCE_S = 10.0
_POLL_S = 0.05


class LocalEngine:
    """The engine of the embedded cloud; see `interface.Engine`.

    Args:
        home: the state of the target.
        environment: ours; steps get only what programs need to run at all.
        workers: steps at a time; the number of cores when None.
        use_namespaces: whether container paths are made true by mount namespaces; None tries.
        fork_python: whether Python steps run in forks of a warm server; None where that is safe.
        grace_s: between TERM and KILL.
        log_limit_bytes: what is kept of each stream of a step.
    """

    def __init__(
        self,
        home: TargetHome,
        *,
        environment: Mapping[str, str],
        workers: int | None = None,
        use_namespaces: bool | None = None,
        fork_python: bool | None = None,
        grace_s: float = 5.0,
        log_limit_bytes: int = LOG_LIMIT_BYTES,
    ) -> None:
        self.home = home
        self.environment = dict(environment)
        self.workers = workers or len(os.sched_getaffinity(0)) if sys.platform == "linux" else workers or os.cpu_count()
        self.use_namespaces = use_namespaces
        self.fork_python = sys.platform == "linux" if fork_python is None else fork_python
        self.grace_s = grace_s
        self.log_limit_bytes = log_limit_bytes

    @property
    def is_remote(self) -> bool:
        """See `Engine.is_remote`."""
        return False

    @cached_property
    def store(self) -> RunStore:
        """The runs; runs whose engine is gone are settled first."""
        store = RunStore(Database(self.home.engine / "runs.db"))
        reconcile_runs(store, self.folder)
        return store

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """What steps gave each other."""
        return ArtifactStore(self.home.engine / "artifacts")

    @cached_property
    def has_namespaces(self) -> bool:
        """Whether steps get mount namespaces."""
        return mount.probe() if self.use_namespaces is None else self.use_namespaces

    @property
    def step_environment(self) -> dict[str, str]:
        """What every step inherits: the interpreter's own programs come first on its PATH."""
        env = scrub_environment(self.environment)
        folders = (str(Path(sys.executable).parent), env.get("PATH", os.defpath))
        return {**env, "PATH": os.pathsep.join(folders)}

    def folder(self, run: str) -> Path:
        """The run's own folder."""
        return self.home.engine / "runs" / run

    def submit(self, submission: Submission) -> str:
        """See `Engine.submit`."""
        from platform_cli.workflow.submission import build_document

        name, document = build_document(submission)
        self.store.create(name, document)
        return name

    def run(self, name: str, emit: Emit) -> WorkflowObject:
        """See `Engine.run`."""
        from platform_cli.workflow.assembly import assemble

        run = self.store.run(name)
        with self.hold(run.name):
            run = self.store.run(run.name)
            if run.status.phase in _OVER:
                hint = f"open it again with: mlops pipeline submit --resume {run.name}"
                raise StateError(f"run {run.name} has ended: {run.status.phase}", hint=hint)
            assemble(self, run, emit).drive()
        return self.get(run.name)

    def watch(self, name: str, emit: Emit) -> WorkflowObject:
        """See `Engine.watch`."""
        from platform_cli.workflow.local_follow import follow_run

        run = self.store.run(name).name
        try:
            return follow_run(self, run, emit)
        except KeyboardInterrupt:
            raise leave(run) from None

    def start(self, name: str) -> None:
        """See `Engine.start`."""
        run = self.store.run(name)
        argv = [sys.executable, "-P", "-c", _DETACHED.format(root=str(_PACKAGE_PARENT)), str(self.home.root), run.name]
        log = self.home.logs / f"engine-{run.name}.log"
        spawn_detached(argv, log=log, env=self.environment, cwd=self.home.root)

    def list(self, *, limit: int = 50) -> list[WorkflowObject]:
        """See `Engine.list`."""
        return [run.as_workflow() for run in self.store.runs(limit=limit)]

    def get(self, name: str) -> WorkflowObject:
        """See `Engine.get`."""
        run = self.store.run(name)
        return run.as_workflow(self.store.nodes(run.name))

    def logs(self, name: str, *, step: str | None = None, follow: bool = False) -> Iterator[LogLine]:
        """See `Engine.logs`."""
        run = self.store.run(name)
        return run_log.read_log(self.store, self.folder(run.name), run.name, step=step, follow=follow)

    def stop(self, name: str) -> None:
        """See `Engine.stop`."""
        stop_run(self.store, self.store.run(name), self.folder, grace_s=self.grace_s)

    def delete(self, name: str) -> None:
        """See `Engine.delete`."""
        run = self.store.run(name)
        with self.hold(run.name):
            for key in self.store.delete(run.name):
                self.artifacts.discard(key)
        remove_tree(self.folder(run.name))

    def resume(self, name: str) -> None:
        """See `Engine.resume`. A run that is driven now is told to let its suspended nodes go on."""
        run = self.store.run(name)
        if run.engine is not None and run.engine.alive:
            self._wake(run)
            return
        with self.hold(run.name):
            reopen(self.store, self.store.run(run.name), self.folder(run.name))

    def fetch_artifacts(self, name: str, folder: Path) -> tuple[Path, ...]:
        """See `Engine.fetch_artifacts`."""
        import msgspec

        from platform_cli.workflow.export import list_exports
        from platform_cli.workflow.job import artifact_key
        from platform_cli.workflow.model_value import Artifact

        exports = list_exports(self.get(name))
        for export in exports:
            target = folder / export.target
            if target.is_dir():
                remove_tree(target)
            self.artifacts.get(artifact_key(msgspec.convert(export.artifact, Artifact)), target)
        return tuple(folder / export.target for export in exports)

    def reconcile(self) -> None:
        """Settle runs whose engine is gone; every first use of `store` does the same."""
        reconcile_runs(self.store, self.folder)

    def apply_config_map(self, name: str, files: Mapping[str, bytes]) -> None:
        """Make a ConfigMap of the target, or replace all of it."""
        self._apply(self.home.config_maps / name, files, secret=False)

    def apply_secret(self, name: str, files: Mapping[str, bytes]) -> None:
        """Make a Secret of the target, or replace all of it; only its owner can read the files."""
        self._apply(self.home.secrets / name, files, secret=True)

    def close(self) -> None:
        """Close the run database."""
        if "store" in self.__dict__:
            self.store.database.close()
            del self.__dict__["store"]

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Be the only one who drives or changes a run.

        Raises:
            StateError: another process does.
        """
        given_up = time.monotonic() + _PATIENCE_S
        while True:
            with try_hold(self.folder(name)) as held:
                if held:
                    yield
                    return
            engine = self.store.run(name).engine
            is_driven = engine is not None and engine.alive
            # Whoever holds it without driving it settles or stops it, and is done in a moment.
            if is_driven or time.monotonic() > given_up:
                owner = f" (process {engine.pid})" if engine and is_driven else ""
                hint = f"follow it with: mlops pipeline get {name} --wait, or end it: mlops pipeline stop {name}"
                raise StateError(f"run {name} is driven by another process{owner}", hint=hint)
            time.sleep(_POLL_S)

    def _wake(self, run: Run) -> None:
        import signal

        nodes = self.store.nodes(run.name)
        if not any(node.type == "Suspend" and not node.fulfilled for node in nodes):
            raise StateError(f"run {run.name} is running", hint=f"follow it with: mlops pipeline get {run.name} --wait")
        (self.folder(run.name) / RESUME_FILE).touch()
        if run.engine is not None:
            # One that ends meanwhile needs no waking.
            with suppress(ProcessLookupError):
                os.kill(run.engine.pid, signal.SIGUSR1)

    def _apply(self, folder: Path, files: Mapping[str, bytes], *, secret: bool) -> None:
        try:
            if not is_same_folder(folder, files):
                write_folder(folder, files, secret=secret)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            hint = "free some space, then try again" if full else "check the folder's permissions"
            raise ToolError(f"cannot write {folder}: {error.strerror}", hint=hint) from error

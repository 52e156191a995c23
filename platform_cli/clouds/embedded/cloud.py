"""The embedded cloud as every command sees it."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from platform_cli.clouds.embedded import stages
from platform_cli.errors import NotReadyError, PreflightError, UsageError
from platform_cli.stage import (
    ConfigMap,
    Facts,
    Folders,
    ModelServers,
    RemoveFiles,
    Stage,
    StopDashboards,
    StopModelServers,
    StopRuns,
    TrackingDatabase,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_cli.clouds.interface import Look, Proof
    from platform_cli.config import Config
    from platform_cli.doctor import Check
    from platform_cli.events import Emit
    from platform_cli.layout import Layout
    from platform_cli.serving.interface import Serving
    from platform_cli.serving.local_serving import LocalServing
    from platform_cli.status import Layer
    from platform_cli.tools.mlflow import Registry
    from platform_cli.workflow.interface import Engine
    from platform_cli.workflow.local_engine import LocalEngine


class EmbeddedCloud:
    """One target on this machine."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._config = config
        self._layout = layout
        self._home = layout.home(config.target.name)

    def observe(self, look: Look) -> Facts:  # noqa: ARG002 - a look costs nothing here, whatever it is for
        """See `Cloud.observe`."""
        from platform_cli.clouds.embedded import observation

        return observation.observe(
            self._home, folders=stages.list_folders(self._home), engine=self._open_engine, serving=self._open_serving
        )

    def list_stages(self) -> tuple[Stage, ...]:
        """See `Cloud.list_stages`."""
        return stages.list_stages(self._wish)

    def list_removals(self, *, keep_data: bool, delete_crds: bool = False) -> tuple[Stage, ...]:  # noqa: ARG002 - none
        """See `Cloud.list_removals`."""
        return stages.list_removals(self._home, keep_data=keep_data)

    def run_stage(self, stage: Stage, emit: Emit) -> str:  # noqa: ARG002, PLR0911 - the Protocol's; one return per kind
        """See `Cloud.run_stage`."""
        from platform_cli.clouds.embedded import dashboard, files, removal

        work = stage.work
        match work:
            case Folders():
                files.make_folders(work.paths)
                return f"{len(work.paths)} folders below {self._home.root.relative_to(self._layout.project)}"
            case ConfigMap():
                files.write_config_map(self._home.config_maps / work.config_map, work.data)
                return f"{work.config_map}, {len(work.data)} keys"
            case TrackingDatabase():
                return self._migrate(work)
            case ModelServers():
                return self._restore()
            case StopModelServers():
                return f"{self._serving.undeploy_all()} ended"
            case StopRuns():
                return removal.stop_runs(self._home, self._open_engine)
            case StopDashboards():
                return f"{dashboard.stop_dashboards(self._home.dashboards)} ended"
            case RemoveFiles():
                return removal.remove_files(work, self._home)
            case _:
                raise UsageError(f"{stage.name} is no stage of the embedded cloud")

    def prove_gone(self, before: Facts, *, keep_data: bool) -> Proof:
        """See `Cloud.prove_gone`."""
        from platform_cli.clouds.embedded import removal

        kept = self.list_removals(keep_data=keep_data)[-1].work
        return removal.prove_gone(self._home, before.listeners, kept.keep if isinstance(kept, RemoveFiles) else ())

    def inspect(self, *, refresh: bool = False) -> tuple[Layer, ...]:  # noqa: ARG002 - it is always asked
        """See `Cloud.inspect`."""
        from platform_cli.clouds.embedded import health

        if not self._is_deployed:
            return ()
        return health.inspect(
            self._home, folders=stages.list_folders(self._home), engine=self._open_engine, serving=self._open_serving
        )

    def list_checks(self, *, offline: bool) -> tuple[Check, ...]:  # noqa: ARG002 - none asks a network
        """See `Cloud.list_checks`."""
        from platform_cli.clouds.embedded import check

        return check.list_checks(self._config.embedded, self._home)

    def require_deployed(self) -> None:
        """See `Cloud.require_deployed`."""
        if not self._is_deployed:
            raise NotReadyError(f"{self._config.target} is not deployed", hint="mlops deploy")

    def forward(
        self,
        services: Sequence[str],
        *,
        port: int | None,
        shows_credentials: bool,  # noqa: ARG002 - nothing asks for a password here
        emit: Emit,
    ) -> None:
        """See `Cloud.forward`."""
        from platform_cli.clouds.embedded import dashboard

        dashboard.require_here(services)
        self.require_deployed()
        dashboard.serve_mlflow(
            self._home,
            host=self._config.embedded.host,
            port=port or self._config.embedded.mlflow_port,
            emit=emit,
        )

    def engine(self) -> Engine:
        """See `Cloud.engine`."""
        self.require_deployed()
        return self._engine

    def registry(self) -> Registry:
        """See `Cloud.registry`."""
        from platform_cli.tools.mlflow import Registry

        self.require_deployed()
        return Registry(stages.tracking_uri(self._home))

    def serving(self) -> Serving:
        """See `Cloud.serving`."""
        self.require_deployed()
        return self._serving

    @property
    def _is_deployed(self) -> bool:
        return (self._home.config_maps / stages.PLATFORM_CONFIG).is_dir()

    @cached_property
    def _wish(self) -> stages.Wish:
        from platform_cli.workflow.step_code import step_code_files, step_code_name

        source = self._layout.training_workflow.parent / "src"
        return stages.Wish(
            target=self._config.target,
            home=self._home,
            step_code=step_code_name(source),
            steps={name: content.decode("utf-8") for name, content in step_code_files(source).items()},
            mlflow=_mlflow_version(),
        )

    def _open_engine(self) -> LocalEngine:
        return self._engine

    def _open_serving(self) -> LocalServing:
        return self._serving

    @cached_property
    def _engine(self) -> LocalEngine:
        from platform_cli.workflow.local_engine import LocalEngine

        return LocalEngine(self._home, environment=os.environ, workers=self._config.embedded.workers)

    @cached_property
    def _serving(self) -> LocalServing:
        from platform_cli.serving.local_serving import LocalServing

        return LocalServing(
            self._home,
            environment=os.environ,
            assets=self._layout.assets,
            host=self._config.embedded.host,
            first_port=self._config.embedded.serving_port,
        )

    def _migrate(self, work: TrackingDatabase) -> str:
        if not work.version:
            raise PreflightError("MLflow is not installed", hint="pip install 'mlops[ml]'")
        from platform_cli.tools.mlflow_database import initialise

        revision = initialise(stages.tracking_uri(self._home), work.artifacts)
        return f"MLflow {work.version}, schema {revision}"

    def _restore(self) -> str:
        return f"{len(self._serving.restore())} running"


def _mlflow_version() -> str:
    """The installed MLflow's version, without importing it; empty when there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mlflow")
    except PackageNotFoundError:
        return ""

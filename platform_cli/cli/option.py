"""The options that every command shares, and what they lead to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from platform_cli.layout import Layout, TargetHome, find_assets, find_project
from platform_cli.render.screen import Output, Screen, open_screen
from platform_cli.target import CloudName, Env, Target

if TYPE_CHECKING:
    from types import TracebackType

    from platform_cli.clouds.interface import Cloud
    from platform_cli.config import Config
    from platform_cli.config_load import Settings

CloudOption = Annotated[CloudName | None, typer.Option("--cloud", "-c", help="Where the platform runs.")]
EnvOption = Annotated[Env | None, typer.Option("--env", "-e", help="Which environment is meant.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The platform.yaml to read, instead of the nearest one.")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Text for people or JSON for programs.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Tell every detail.")]


@dataclass(frozen=True, slots=True)
class Context:
    """What a command works with. Use it in a `with` statement, so that the terminal is left in order."""

    settings: Settings
    layout: Layout
    screen: Screen

    @property
    def config(self) -> Config:
        """The configuration that holds now."""
        return self.settings.config

    @property
    def target(self) -> Target:
        """The platform that is meant."""
        return self.settings.config.target

    @property
    def home(self) -> TargetHome:
        """The target's folder on this machine."""
        return self.layout.home(self.target.name)

    @property
    def cloud(self) -> Cloud:
        """The target's cloud.

        Raises:
            UsageError: this version does not know how to run on that cloud.
        """
        from platform_cli.clouds.registry import open_cloud

        return open_cloud(self.config, self.layout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.screen.close()


def load_context(
    *,
    cloud: CloudName | None = None,
    env: Env | None = None,
    config: Path | None = None,
    output: Output = Output.TEXT,
    verbose: bool = False,
) -> Context:
    """Read the configuration and open the screen.

    Raises:
        ConfigError: the configuration is not valid; every problem is listed.
    """
    settings = read_settings(cloud=cloud, env=env, config=config)
    project = settings.file.parent if settings.file else find_project(Path.cwd())
    layout = Layout(assets=find_assets(), project=project.resolve())
    return Context(settings, layout, open_screen(output, verbose=verbose))


def read_settings(*, cloud: CloudName | None, env: Env | None, config: Path | None) -> Settings:
    """The configuration: the file that is named, or MLOPS_CONFIG, or the nearest platform.yaml.

    Raises:
        ConfigError: the configuration is not valid; every problem is listed.
    """
    from platform_cli.config_load import FILE_VARIABLE, find_file, load_settings

    named = os.environ.get(FILE_VARIABLE)
    file = config or (Path(named) if named else find_file(Path.cwd()))
    flags = {name: str(value) for name, value in (("cloud", cloud), ("env", env)) if value is not None}
    return load_settings(file=file, environ=os.environ, flags=flags)

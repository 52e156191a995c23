"""The options that every command shares, and what they lead to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Self

import typer

from platform_cli.errors import MlopsError, UsageError
from platform_cli.events import Event, Notice
from platform_cli.layout import Layout, TargetHome, find_assets, find_project
from platform_cli.render.screen import Output, Screen, open_screen
from platform_cli.target import CloudName, Env, Target

if TYPE_CHECKING:
    from types import TracebackType

    from platform_cli.clouds.interface import Cloud
    from platform_cli.config import Config
    from platform_cli.config_load import Settings
    from platform_cli.plan import Plan

CloudOption = Annotated[CloudName | None, typer.Option("--cloud", "-c", help="Where the platform runs.")]
EnvOption = Annotated[Env | None, typer.Option("--env", "-e", help="Which environment is meant.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The platform.yaml to read, instead of the nearest one.")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Text for people or JSON for programs.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Tell every detail.")]


ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="Sizes and high availability: minimal, standard or production. No credentials."),
]
CredentialsOption = Annotated[
    str | None, typer.Option("--credentials-profile", help="AWS: the profile of ~/.aws that credentials come from.")
]
SubscriptionOption = Annotated[str | None, typer.Option("--subscription", help="Azure: the subscription's id.")]
ProjectOption = Annotated[str | None, typer.Option("--project", help="Google Cloud: the project's id.")]
RegionOption = Annotated[str | None, typer.Option("--region", help="AWS, Azure, Google Cloud: the region.")]
_ABOUT_RUNS = re.compile(r"\bmlops pipeline (?:submit|list|get|logs|stop|delete)\b")
Choices = Mapping[str, str | None]


def name_choices(
    profile: str | None,
    credentials_profile: str | None,
    subscription: str | None,
    project: str | None,
    region: str | None,
) -> Choices:
    """The options above by the name of the key that they set."""
    return {
        "profile": profile,
        "credentials_profile": credentials_profile,
        "subscription": subscription,
        "project": project,
        "region": region,
    }


@dataclass(frozen=True, slots=True)
class Context:
    """What a command works with. Use it in a `with` statement, so that the terminal is left in order.

    Attributes:
        flags: how the command line named the target; a command that we advise needs them as well.
    """

    settings: Settings
    layout: Layout
    screen: Screen
    flags: str = ""

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

    def complete(self, advice: str) -> str:
        """`advice` with our flags in the commands about runs that it names."""
        return _ABOUT_RUNS.sub(rf"\g<0> {self.flags}", advice) if self.flags else advice

    def emit(self, event: Event) -> None:
        """Tell an event, its advice complete."""
        self.screen.emit(replace(event, text=self.complete(event.text)) if isinstance(event, Notice) else event)

    def show_changes(self, made: Plan) -> bool:
        """Show a plan that changes something; returns whether it does."""
        from platform_cli.render.plan import plan_lines

        if made.changes:
            self.screen.show(made.to_document(), plan_lines(made))
        return bool(made.changes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.screen.close()
        if isinstance(error, MlopsError):
            error.hint = self.complete(error.hint)


def load_context(
    *,
    cloud: CloudName | None = None,
    env: Env | None = None,
    config: Path | None = None,
    output: Output = Output.TEXT,
    verbose: bool = False,
    choices: Choices | None = None,
) -> Context:
    """Read the configuration and open the screen.

    Raises:
        ConfigError: the configuration is not valid; every problem is listed.
        UsageError: a choice is for another cloud.
    """
    settings = read_settings(cloud=cloud, env=env, config=config, choices=choices)
    project = settings.file.parent if settings.file else find_project(Path.cwd())
    layout = Layout(assets=find_assets(), project=project.resolve())
    named = (("--cloud", cloud), ("--env", env), ("--config", config))
    flags = " ".join(f"{option} {quote(str(value))}" for option, value in named if value is not None)
    return Context(settings, layout, open_screen(output, verbose=verbose), flags)


def read_settings(
    *, cloud: CloudName | None, env: Env | None, config: Path | None, choices: Choices | None = None
) -> Settings:
    """The configuration: the file that is named, or MLOPS_CONFIG, or the nearest platform.yaml.

    Raises:
        ConfigError: the configuration is not valid; every problem is listed.
        UsageError: a choice is for another cloud.
    """
    from platform_cli.config_load import FILE_VARIABLE, find_file, load_settings

    named = os.environ.get(FILE_VARIABLE)
    file = config or (Path(named) if named else find_file(Path.cwd()))
    flags = {name: str(value) for name, value in (("cloud", cloud), ("env", env)) if value is not None}
    settings = load_settings(file=file, environ=os.environ, flags=flags)
    given = {name: value for name, value in (choices or {}).items() if value is not None}
    if not given:
        return settings
    flags |= {_find_key(settings.config.cloud, name, value): value for name, value in given.items()}
    return load_settings(file=file, environ=os.environ, flags=flags)


def _find_key(cloud: CloudName, name: str, value: str) -> str:
    """The key that an option sets, on this cloud.

    Raises:
        UsageError: it says nothing there, or was mistaken for another option.
    """
    from platform_cli.config import list_keys

    option = f"--{name.replace('_', '-')}"
    if name == "profile":
        return _find_profile(cloud, value)
    if name in list_keys((cloud.value,)):
        return f"{cloud}.{name}"
    known = " or ".join(other.value for other in CloudName if name in list_keys((other.value,)))
    raise UsageError(f"{option} says nothing on {cloud}", hint=f"it goes with --cloud {known}")


def _find_profile(cloud: CloudName, value: str) -> str:
    from platform_cli.config import PROFILES

    if value not in PROFILES:
        raise UsageError(
            f"--profile takes {', '.join(PROFILES)}, not {value}",
            hint=f"for credentials of ~/.aws: --credentials-profile {value}",
        )
    if not (Layout(find_assets(), Path()).terraform / "environments" / cloud).is_dir():
        raise UsageError(f"--profile says nothing on {cloud}", hint="it sets sizes where Terraform makes the platform")
    return "infrastructure.profile"

"""Plans of every target there is, made offline."""

from __future__ import annotations

from collections.abc import Iterator

from platform_cli.change import plan_deploy
from platform_cli.clouds.registry import CLOUDS, open_cloud
from platform_cli.config import Config
from platform_cli.errors import MlopsError
from platform_cli.layout import Layout
from platform_cli.plan import Plan
from platform_cli.target import CloudName, Env


def plan_targets(config: Config, layout: Layout) -> tuple[Plan, ...]:
    """A deploy of each target with the rest of this configuration. What takes more than files to tell is left out."""
    return tuple(_list_plans(config, layout))


def limit_to_files(config: Config) -> Config:
    """Without what is known from elsewhere only: components whose charts would have to be fetched first."""
    if config.charts.source == "folder":
        return config
    return config.model_copy(update={"components": config.components.model_copy(update={"install": False})})


def _list_plans(config: Config, layout: Layout) -> Iterator[Plan]:
    for cloud in CLOUDS:
        for env in _list_environments(cloud, layout):
            meant = limit_to_files(config).model_copy(update={"cloud": cloud, "env": env})
            try:
                made = plan_deploy(open_cloud(meant, layout), meant.target, offline=True)
            except MlopsError:
                continue
            if made.stages:
                yield made


def _list_environments(cloud: CloudName, layout: Layout) -> tuple[Env, ...]:
    """Those that there is a Terraform root for; all where Terraform makes nothing."""
    roots = layout.terraform / "environments" / cloud
    return tuple(env for env in Env if (roots / env).is_dir() or not roots.is_dir())

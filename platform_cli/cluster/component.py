"""The platform's Helm releases: read from releases.yaml, checked as a whole, put in order, chosen for one target."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from platform_cli.config_source import dotted, read_source
from platform_cli.errors import ConfigError
from platform_cli.layout import find_assets

if TYPE_CHECKING:
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.config import Config

Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=53)]
ResourceName = Annotated[str, Field(pattern=r"^[a-z0-9]+(\.[a-z0-9-]+)+$")]
Workload = Annotated[str, Field(pattern=r"^(deployment|statefulset|daemonset)/[a-z0-9-]+$")]
Image = Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+:[\w.-]+$")]
ClusterCloud = Literal["local", "existing", "aws", "azure", "gcp"]
Manner = Literal["release", "manifests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One Helm release. What each key means stands at the top of releases.yaml.

    Attributes:
        repository: URL of the chart's repository, `oci://` included; empty for charts of our own.
        needs: names of components that come first.
        autoscalers, secret_stores: kinds it is for; empty means any.
    """

    name: str
    summary: str
    chart: str
    version: str
    namespace: str
    release: str
    repository: str
    needs: tuple[str, ...]
    clouds: frozenset[str]
    optional: bool
    autoscalers: tuple[str, ...]
    secret_stores: tuple[str, ...]
    crds: tuple[str, ...]
    owns: tuple[str, ...]
    health: tuple[str, ...]
    images: tuple[str, ...]
    manner: Manner

    @property
    def is_release(self) -> bool:
        """Whether it is a Helm release; else its chart makes CRDs alone, which outlive us and are applied as such."""
        return self.manner == "release"

    @property
    def is_ours(self) -> bool:
        """Whether the chart is part of the product."""
        return not self.repository


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _When(_Model):
    autoscaler: tuple[str, ...] = ()
    secret_store: tuple[str, ...] = ()


class _Release(_Model):
    summary: str
    chart: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")]
    version: Annotated[str, Field(pattern=r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
    repository: Annotated[str, Field(pattern=r"^((https|oci)://[^/]+.*[^/])?$")]
    namespace: Name
    release: Name | None = None
    needs: tuple[Name, ...] = ()
    clouds: Annotated[frozenset[ClusterCloud], Field(min_length=1)]
    optional: bool = False
    when: _When = _When()
    crds: tuple[ResourceName, ...] = ()
    owns: tuple[ResourceName, ...] = ()
    health: tuple[Workload, ...] = ()
    images: tuple[Image, ...] = ()
    manner: Manner = "release"


class _Releases(_Model):
    version: Literal[1]
    components: dict[Name, _Release]


def find_releases() -> Path:
    """The product's own releases.yaml."""
    return find_assets() / "infrastructure" / "helm" / "releases.yaml"


def read_components(path: Path | None = None) -> tuple[Component, ...]:
    """Every component, those that others need first, else in the order of the file.

    Raises:
        ConfigError: the file is not as it must be; `details` has every problem, one a line.
    """
    path = path or find_releases()
    source = read_source(path)
    problems = [str(problem) for problem in source.problems]
    try:
        releases = _Releases.model_validate(source.data).components
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems += [f"{source.locate(item['loc'])}: {dotted(item['loc'])}: {item['msg']}" for item in found]
        raise _refuse(path, problems) from error
    problems += _check_needs(releases)
    if problems:
        raise _refuse(path, problems)
    components = {name: _make(name, release) for name, release in releases.items()}
    return tuple(components[name] for name in _sort({name: item.needs for name, item in releases.items()}))


def select_components(
    components: Iterable[Component], config: Config, outputs: ClusterOutputs
) -> tuple[Component, ...]:
    """The components of one target, in order; needs of what is not selected are gone.

    Raises:
        ConfigError: `components.skip`, `.enable` or `.values` name no component, or one that this cloud does not have.
    """
    known = {component.name: component for component in components}
    _check_names(known, config)
    if not config.components.install:
        return ()
    wanted = [component for component in known.values() if _is_wanted(component, config, outputs)]
    names = {component.name for component in wanted}
    return tuple(replace(component, needs=_needs_among(component, known, names)) for component in wanted)


def _is_wanted(component: Component, config: Config, outputs: ClusterOutputs) -> bool:
    return (
        config.cloud.value in component.clouds
        and component.name not in config.components.skip
        and (not component.optional or component.name in config.components.enable)
        and (not component.autoscalers or outputs.autoscaler.kind in component.autoscalers)
        and (not component.secret_stores or outputs.secret_store.kind in component.secret_stores)
    )


def _needs_among(component: Component, known: Mapping[str, Component], names: set[str]) -> tuple[str, ...]:
    """What is left of its needs; what is not selected is replaced by its own needs."""
    found: dict[str, None] = {}
    for name in component.needs:
        inner = (name,) if name in names else _needs_among(known[name], known, names)
        found.update(dict.fromkeys(inner))
    return tuple(found)


def _check_names(known: Mapping[str, Component], config: Config) -> None:
    named = config.components
    given = (("skip", named.skip), ("enable", named.enable), ("values", tuple(named.values)))
    problems = [
        f"components.{key}: {_unknown(name, known)}" for key, names in given for name in names if name not in known
    ]
    problems += [
        f"components.enable: {name} is not for {config.cloud}"
        for name in named.enable
        if name in known and config.cloud.value not in known[name].clouds
    ]
    if problems:
        raise ConfigError("the configuration names components wrongly", hint="mlops config show", details=(*problems,))


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"there is no component {name}" + (f", did you mean {near[0]}?" if near else "")


def _check_needs(releases: Mapping[str, _Release]) -> Iterator[str]:
    for name, release in releases.items():
        for need in release.needs:
            if need not in releases:
                yield f"components.{name}.needs: {_unknown(need, releases)}"
    try:
        TopologicalSorter({name: release.needs for name, release in releases.items()}).prepare()
    except CycleError as error:
        yield f"components: they need each other in a circle: {' needs '.join(reversed(error.args[1]))}"


def _sort(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Needs first, else the order that is given: the same for the same file, always."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        for need in needs[name]:
            visit(need)
        done[name] = None

    for name in needs:
        visit(name)
    return list(done)


def _make(name: str, release: _Release) -> Component:
    fields: dict[str, Any] = {key: getattr(release, key) for key in _Release.model_fields if key != "when"}
    fields["release"] = release.release or name
    return Component(
        name=name,
        autoscalers=release.when.autoscaler,
        secret_stores=release.when.secret_store,
        **fields,
    )


def _refuse(path: Path, problems: list[str]) -> ConfigError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    hint = "its first lines say what each key means"
    return ConfigError(f"{path.name} has {count} ({path})", hint=hint, details=(*problems,))

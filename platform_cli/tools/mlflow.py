"""MLflow's registry and database, as typed values; MLflow itself (seconds to import) only inside the calls.

What MLflow says on standard error is silenced: people get our errors, and nothing phones home.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.errors import NotFoundError, ToolError, UsageError
from platform_cli.tools.mlflow_database import (
    initialise,
    quiet,
    read_revision,
    require_database,
    server_command,
    translate,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["ModelRef", "ModelVersion", "RegisteredModel", "Registry", "initialise", "read_revision", "server_command"]

CHAMPION = "champion"
_LOGGED_MODEL = "models:/"
_EXAMPLE = "serving_input_example.json"
_REFERENCE = re.compile(r"(?P<name>[^@/:]+)(?:@(?P<alias>[^@/]+)|/(?P<version>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """What a person calls a model: `iris@champion`, `iris/3`, or `iris` (its champion, else its latest version)."""

    name: str
    alias: str | None = None
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Read a reference.

        Raises:
            UsageError: it is none.
        """
        match = _REFERENCE.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"'{text}' names no model", hint="write NAME, NAME@alias or NAME/version, as in iris@champion"
            )
        return cls(match["name"], match["alias"], match["version"])

    def __str__(self) -> str:
        if self.alias is not None:
            return f"{self.name}@{self.alias}"
        return self.name if self.version is None else f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered version. `created` is Unix seconds; `source` is where its files are."""

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    source: str
    tags: Mapping[str, str]
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model and all its versions, newest first."""

    name: str
    description: str
    tags: Mapping[str, str]
    versions: tuple[ModelVersion, ...]

    def choose(self, ref: ModelRef) -> ModelVersion:
        """The version a reference means.

        Raises:
            NotFoundError: there is none; the message names those that exist.
        """
        if ref.version is not None:
            return self._only({v.version: v for v in self.versions}, ref.version, "version")
        by_alias = {alias: v for v in self.versions for alias in v.aliases}
        if ref.alias is not None:
            return self._only(by_alias, ref.alias, "alias")
        if not self.versions:
            raise NotFoundError(f"model '{self.name}' has no versions", hint="train one: mlops pipeline submit --wait")
        return by_alias.get(CHAMPION, self.versions[0])

    def _only(self, known: Mapping[str, ModelVersion], wanted: str, what: str) -> ModelVersion:
        if wanted not in known:
            names = ", ".join(known) or "none"
            raise NotFoundError(f"model '{self.name}' has no {what} '{wanted}'", hint=f"it has: {names}")
        return known[wanted]


class Registry:
    """The models registered at one tracking address, such as `sqlite:////srv/mlflow.db`."""

    def __init__(self, tracking_uri: str) -> None:
        self._uri = tracking_uri

    def list_models(self) -> tuple[RegisteredModel, ...]:
        """All models, by name."""
        with self._connect() as (client, _):
            models = list(_pages(client.search_registered_models))
            # All versions at once: one request per model would be hundreds.
            versions: dict[str, list[Any]] = {model.name: [] for model in models}
            for version in _pages(client.search_model_versions):
                versions.setdefault(version.name, []).append(version)
            return tuple(_read_model(model, versions[model.name]) for model in models)

    def get_model(self, name: str) -> RegisteredModel:
        """One model.

        Raises:
            NotFoundError: there is no such model; the hint names the nearest.
        """
        with self._connect() as (client, _):
            found = {model.name: model for model in _pages(client.search_registered_models)}
            if name not in found:
                raise NotFoundError(f"there is no model '{name}'", hint=_suggest(name, list(found)))
            return _read_model(found[name], _list_versions(client, name))

    def resolve(self, ref: ModelRef) -> ModelVersion:
        """The version a reference means now.

        Raises:
            NotFoundError: no such model, alias or version.
        """
        return self.get_model(ref.name).choose(ref)

    def fetch(self, version: ModelVersion, folder: Path) -> None:
        """Copy a version's files to `folder`, which appears whole or not at all.

        Raises:
            ToolError: the files are gone, or are no MLflow model.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch_folder = tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-")
        with self._connect() as (client, uri), scratch_folder as scratch:
            downloaded = Path(_download(client, version, uri, scratch))
            if not (downloaded / "MLmodel").is_file():
                raise ToolError(f"{_label(version)} holds no MLflow model", hint=f"its source is {version.source}")
            shutil.rmtree(folder, ignore_errors=True)
            downloaded.replace(folder)

    def fetch_example(self, version: ModelVersion) -> tuple[Mapping[str, Any], ...]:
        """The rows that a version was registered with as its example; none when it has none, or they cannot be had."""
        with self._connect() as (client, uri), tempfile.TemporaryDirectory() as scratch:
            try:
                text = Path(_download(client, version, uri, scratch, file=_EXAMPLE)).read_text("utf-8")
            except ToolError:
                return ()
        split = json.loads(text).get("dataframe_split") or {}
        columns = split.get("columns") or ()
        return tuple(dict(zip(columns, row, strict=True)) for row in split.get("data") or ())

    @contextlib.contextmanager
    def _open(self) -> Iterator[str]:
        """The tracking address, for as long as it is needed."""
        yield self._uri

    @contextlib.contextmanager
    def _connect(self) -> Iterator[tuple[MlflowClient, str]]:
        with self._open() as uri, quiet():
            require_database(uri)
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException

            try:
                yield MlflowClient(tracking_uri=uri, registry_uri=uri), uri
            except MlflowException as error:
                raise translate(error, uri) from error


def _pages(search: Any) -> Iterator[Any]:
    page = search()
    yield from page
    while page.token:
        page = search(page_token=page.token)
        yield from page


def _list_versions(client: MlflowClient, name: str) -> list[Any]:
    quote = '"' if "'" in name else "'"
    condition = f"name={quote}{name}{quote}"
    return list(_pages(lambda **page: client.search_model_versions(condition, **page)))


def _read_model(model: Any, found: Iterable[Any]) -> RegisteredModel:
    aliases = {alias: str(version) for alias, version in model.aliases.items()}
    versions = sorted((_read_version(version, aliases) for version in found), key=lambda v: -int(v.version))
    return RegisteredModel(
        name=model.name, description=model.description or "", tags=dict(model.tags), versions=tuple(versions)
    )


def _read_version(version: Any, aliases: Mapping[str, str]) -> ModelVersion:
    return ModelVersion(
        name=version.name,
        version=str(version.version),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if number == str(version.version))),
        run_id=version.run_id or "",
        source=version.source or "",
        tags=dict(version.tags),
        created=version.creation_timestamp / 1000,
    )


def _download(client: MlflowClient, version: ModelVersion, uri: str, scratch: str, *, file: str = "") -> str:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    # Not `models:/name/version`: MLflow resolves that against its process-wide registry, not against `uri`.
    location = client.get_model_version_download_uri(version.name, version.version)
    if location.startswith(_LOGGED_MODEL):
        location = client.get_logged_model(location.removeprefix(_LOGGED_MODEL)).artifact_location
    location = f"{location.rstrip('/')}/{file}" if file else location
    try:
        return str(download_artifacts(artifact_uri=location, dst_path=scratch, tracking_uri=uri, registry_uri=uri))
    except (OSError, MlflowException) as error:
        raise ToolError(
            f"cannot copy {_label(version)} from {location}",
            hint="its files are gone or unreadable: register it anew, or restore them",
            details=(str(error).strip().splitlines()[-1],),
        ) from error


def _label(version: ModelVersion) -> str:
    return f"model '{version.name}' version {version.version}"


def _suggest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    if known:
        return f"there are: {', '.join(sorted(known)[:10])}"
    return "nothing is registered yet: mlops pipeline submit --wait trains and registers one"

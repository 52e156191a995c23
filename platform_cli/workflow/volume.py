"""Volumes and configuration as folders: ConfigMaps, Secrets, claims, empty folders."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from platform_cli.layout import TargetHome
from platform_cli.workflow.model_container import (
    ConfigMapProjection,
    EnvFrom,
    EnvVar,
    KeySelector,
    KeyToPath,
    SecretProjection,
    Volume,
)
from platform_cli.workflow.scope import BindingError

_PRIVATE, _SHARED = 0o600, 0o644


@dataclass(frozen=True, slots=True)
class Source:
    """A volume's folder on this machine. `is_durable` tells that it outlives the node and may have changed."""

    folder: Path
    read_only: bool = False
    is_durable: bool = False


@dataclass(frozen=True, slots=True)
class VolumeStore:
    """Where the volumes of a target are.

    Attributes:
        home: of the target.
        run: the run's own folder, for claims that are made per run.
        claims: names of those.
    """

    home: TargetHome
    run: Path
    claims: frozenset[str] = frozenset()

    def source(self, volume: Volume, node: Path) -> Source:
        """The folder of a volume, made below `node` when it belongs to the node alone.

        Raises:
            BindingError: a ConfigMap or Secret does not exist and is not optional, or the kind is not known.
        """
        own = node / "volumes" / volume.name
        if volume.config_map is not None:
            given = volume.config_map
            folder = self.folder("ConfigMap", given.name, optional=given.optional)
            return _folder_of(folder, given.items, own)
        if volume.secret is not None:
            folder = self.folder("Secret", volume.secret.secret_name, optional=volume.secret.optional)
            return _folder_of(folder, volume.secret.items, own)
        if volume.persistent_volume_claim is not None:
            claim = volume.persistent_volume_claim
            return Source(_made(self.home.engine / "volumes" / claim.claim_name), claim.read_only, is_durable=True)
        if volume.projected is not None:
            for source in volume.projected.sources:
                self._project(source.config_map, "ConfigMap", own)
                self._project(source.secret, "Secret", own)
            return Source(_made(own), read_only=True)
        return Source(_made(own))

    def claim(self, name: str) -> Source:
        """The folder of a claim that is made for each run."""
        return Source(_made(self.run / "volumes" / name), is_durable=True)

    def folder(self, kind: str, name: str, *, optional: bool = False) -> Path | None:
        """The folder of a ConfigMap or Secret, one file per key.

        Raises:
            BindingError: it does not exist.
        """
        folder = (self.home.secrets if kind == "Secret" else self.home.config_maps) / name
        if name and folder.is_dir():
            return folder
        if optional:
            return None
        raise BindingError(f"{kind} {name} does not exist on this target (looked for {folder})")

    def value(self, kind: str, selector: KeySelector) -> str | None:
        """The text of one key; None when it is missing and optional.

        Raises:
            BindingError: the object or the key is missing.
        """
        folder = self.folder(kind, selector.name, optional=selector.optional)
        if folder is not None and (folder / selector.key).is_file():
            return (folder / selector.key).read_text(encoding="utf-8", errors="surrogateescape")
        if selector.optional:
            return None
        raise BindingError(f"{kind} {selector.name} has no key {selector.key}")

    def variables(self, sources: Iterable[EnvFrom]) -> dict[str, str]:
        """The variables of `envFrom`."""
        found: dict[str, str] = {}
        for source in sources:
            for kind, reference in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
                if reference is None:
                    continue
                folder = self.folder(kind, reference.name, optional=reference.optional)
                for file in sorted(folder.iterdir()) if folder else ():
                    found[source.prefix + file.name] = file.read_text(encoding="utf-8", errors="surrogateescape")
        return found

    def variable(self, variable: EnvVar, fields: Mapping[str, str]) -> str | None:
        """The value of one variable; None when its source is missing and optional.

        Raises:
            BindingError: the source is missing, or a field that has no meaning here.
        """
        source = variable.value_from
        if source is None:
            return variable.value
        if source.config_map_key_ref is not None:
            return self.value("ConfigMap", source.config_map_key_ref)
        if source.secret_key_ref is not None:
            return self.value("Secret", source.secret_key_ref)
        path = source.field_ref.field_path if source.field_ref else "resourceFieldRef"
        if path not in fields:
            raise BindingError(f"env {variable.name}: {path} has no meaning on the local engine")
        return fields[path]

    def _project(self, given: ConfigMapProjection | SecretProjection | None, kind: str, own: Path) -> None:
        if given is not None:
            folder = self.folder(kind, given.name, optional=given.optional)
            _copy(folder, given.items, own)


def write_folder(folder: Path, files: Mapping[str, bytes], *, secret: bool = False) -> None:
    """Replace a ConfigMap's or Secret's folder by one with exactly `files`; who reads it sees the old or the new one.

    Raises:
        OSError: the disk is full or may not be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    for name, content in files.items():
        (fresh / name).write_bytes(content)
        (fresh / name).chmod(_PRIVATE if secret else _SHARED)
    fresh.chmod(0o700 if secret else 0o755)
    _swap(fresh, folder)


def is_same_folder(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Whether `folder` has exactly `files`."""
    if not folder.is_dir() or {entry.name for entry in folder.iterdir()} != set(files):
        return False
    return all((folder / name).read_bytes() == content for name, content in files.items())


def _swap(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`. A folder cannot be replaced in one step, so the old one moves aside."""
    old = fresh.with_name(fresh.name + ".old")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        # Someone else put theirs there in between; theirs is as new as ours.
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _folder_of(folder: Path | None, items: tuple[KeyToPath, ...], own: Path) -> Source:
    if folder is not None and not items:
        return Source(folder, read_only=True)
    _copy(folder, items, own)
    return Source(_made(own), read_only=True)


def _copy(folder: Path | None, items: tuple[KeyToPath, ...], own: Path) -> None:
    if folder is None:
        return
    for item in items or tuple(KeyToPath(key=file.name, path=file.name) for file in folder.iterdir()):
        if not (folder / item.key).is_file():
            raise BindingError(f"{folder.name} has no key {item.key}")
        target = own / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / item.key, target)
        target.chmod(item.mode if item.mode is not None else _SHARED)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""A node's private files at the container paths its template names.

Every path has one home on this machine: a volume's folder, or the same path below the node's own `root` folder. How the
process gets to see it there differs: in a mount namespace the paths are simply true; where the system refuses those
(macOS, hardened kernels) the declared paths are rewritten in the program's arguments, environment and source.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

TEMPORARY = "/tmp"  # noqa: S108 - the path inside the sandbox, which is the node's own
_LINKS = 40


@dataclass(frozen=True, slots=True)
class Mount:
    """A host file or folder at a container path."""

    source: Path
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where one node's container paths are.

    Attributes:
        root: the node's own folder; container path `/a/b` is `root/a/b` unless a mount covers it.
        mounts: volumes.
        files: container paths of artifacts and output parameters.
        visible: real host paths that the process must still see although a `/tmp` or volume of its own covers them.
    """

    root: Path
    mounts: Sequence[Mount] = ()
    files: Sequence[str] = ()
    visible: Sequence[Path] = ()
    alias: tuple[Path, Path] | None = None

    def locate(self, path: str) -> Path:
        """The host path of a container path, symbolic links not followed."""
        wanted = PurePosixPath(_clean(path))
        for mount in sorted(self.mounts, key=lambda mount: len(mount.path), reverse=True):
            if wanted.is_relative_to(_clean(mount.path)):
                return mount.source / wanted.relative_to(_clean(mount.path))
        return self.root / wanted.relative_to("/")

    def resolve(self, path: str) -> Path:
        """The host path of a container path after following links as the container would.

        Raises:
            OSError: the links go round in circles.
        """
        for _ in range(_LINKS):
            host = self.locate(path)
            if not host.is_symlink():
                return host
            path = str(PurePosixPath(path).parent / host.readlink())
        raise OSError(f"too many levels of symbolic links: {path}")

    def prepare(self) -> None:
        """Make the folders that the program may expect: `/tmp`, and the parents of declared files."""
        (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        for path in self.files:
            self.locate(path).parent.mkdir(parents=True, exist_ok=True)

    def rewrite(self, text: str) -> str:
        """`text` with declared container paths as host paths."""
        homes = {_clean(path): path for path in (*self.files, *(mount.path for mount in self.mounts))}
        if not homes:
            return text
        longest_first = sorted(homes, key=len, reverse=True)
        pattern = rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-]|\.\w)"
        return re.sub(pattern, lambda match: self.shown(match.group()), text)

    def shown(self, path: str) -> str:
        """A container path as a process without a namespace has to write it."""
        host = self.locate(path)
        if self.alias is not None and host.is_relative_to(self.alias[0]):
            return str(self.alias[1] / host.relative_to(self.alias[0]))
        return str(host)


@dataclass(slots=True)
class Namespace:
    """The binds that make a sandbox's paths true; `root` is the new `/`, or empty when the host's can stay."""

    binds: list[tuple[str, str, bool]] = field(default_factory=list)
    root: str = ""


def plan_namespace(sandbox: Sandbox) -> Namespace:
    """Work out the binds, and make their mount points in the node's own folders.

    A path whose parent exists on the host needs that parent *mirrored*: a folder of the node's own in which every
    entry of the host's is bound, since nothing may be made in the host's.
    """
    plan = _Plan(sandbox)
    plan.build()
    return plan.namespace


class _Plan:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.namespace = Namespace()
        self.volumes = {_clean(mount.path): mount for mount in sandbox.mounts}

    def build(self) -> None:
        mirrored = self.mirrored()
        if "/" in mirrored:
            self.namespace.root = str(self.sandbox.root)
        for folder in sorted(mirrored, key=_depth):
            self.mirror(folder)
        self.bind(self.sandbox.root / "tmp", TEMPORARY)
        for path in sorted(self.volumes, key=_depth):
            self.bind_volume(path)
        self.show_hidden()

    def mirrored(self) -> set[str]:
        """Host folders in which something has to appear that is not there."""
        wanted = {str(PurePosixPath(_clean(path)).parent) for path in self.sandbox.files}
        folders = {_nearest_folder(path) for path in wanted if not self.is_own(path)}
        missing = {path for path in self.volumes if not self.is_inside(path) and not Path(path).is_dir()}
        return folders | {_nearest_folder(str(PurePosixPath(path).parent)) for path in missing}

    def is_own(self, path: str) -> bool:
        return path in self.volumes or self.is_inside(path) or path == TEMPORARY

    def is_inside(self, path: str) -> bool:
        """Whether a parent of `path` belongs to the node anyway."""
        return any(str(parent) in self.volumes or str(parent) == TEMPORARY for parent in PurePosixPath(path).parents)

    def mirror(self, folder: str) -> None:
        own = self.sandbox.root / folder.lstrip("/")
        own.mkdir(parents=True, exist_ok=True)
        if folder != "/":
            self.bind(own, folder)
        declared = {_clean(path) for path in self.sandbox.files}
        for entry in os.scandir(folder):
            if entry.path not in declared and entry.path != TEMPORARY:
                self.mirror_entry(entry, own / entry.name)

    def mirror_entry(self, entry: os.DirEntry[str], own: Path) -> None:
        if entry.is_symlink():
            if not own.is_symlink():
                own.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir() or entry.is_file() or Path(entry.path).exists():
            _make_mount_point(own, folder=entry.is_dir())
            self.bind(Path(entry.path), entry.path)

    def show_hidden(self) -> None:
        """Bind what must stay visible over the `/tmp` or volume that hides it."""
        outermost: list[Path] = []
        for path in sorted(set(self.sandbox.visible), key=lambda path: len(path.parts)):
            if self.is_inside(str(path)) and not any(path.is_relative_to(known) for known in outermost):
                outermost.append(path)
        for path in outermost:
            if path.exists():
                _make_mount_point(self.sandbox.locate(str(path)), folder=path.is_dir())
                self.bind(path, str(path))

    def bind_volume(self, path: str) -> None:
        mount = self.volumes[path]
        outer = [known for known in self.volumes if known != path and PurePosixPath(path).is_relative_to(known)]
        if outer:
            source = self.volumes[max(outer, key=len)].source
            _make_mount_point(
                source / PurePosixPath(path).relative_to(max(outer, key=len)), folder=mount.source.is_dir()
            )
        elif not Path(path).is_dir() or self.is_inside(path):
            _make_mount_point(self.sandbox.root / path.lstrip("/"), folder=mount.source.is_dir())
        self.bind(mount.source, path, read_only=mount.read_only)

    def bind(self, source: Path, path: str, *, read_only: bool = False) -> None:
        self.namespace.binds.append((str(source), path, read_only))


def visible_paths(values: Iterable[str]) -> list[Path]:
    """Existing host paths below `/tmp` that texts such as argument values name, up to the first wildcard."""
    found = []
    for value in values:
        if not value.startswith((TEMPORARY, "file:///")):
            continue
        path = Path(re.split(r"[*?\[]", value.removeprefix("file://"), maxsplit=1)[0])
        while path.is_absolute() and not path.exists() and str(path) != TEMPORARY:
            path = path.parent
        if path.is_absolute() and str(path) not in ("/", TEMPORARY):
            found.append(path.resolve())
    return found


def _nearest_folder(path: str) -> str:
    """The deepest folder on the way to `path` that the host has."""
    candidate = PurePosixPath(path)
    while not Path(candidate).is_dir():
        candidate = candidate.parent
    return str(candidate)


def _make_mount_point(path: Path, *, folder: bool) -> None:
    if folder:
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _clean(path: str) -> str:
    return os.path.normpath(path)


def _depth(path: str) -> int:
    return len(PurePosixPath(path).parts)

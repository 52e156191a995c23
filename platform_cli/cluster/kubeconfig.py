"""Adding one cluster to a kubeconfig that others write to as well."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.access import write_private
from platform_cli.errors import PreflightError, RefusedError, StateError
from platform_cli.process import ProcessId

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

_EXTENSION = "mlops"
_KINDS = ("cluster", "user", "context")
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to a kubeconfig.

    Attributes:
        changed: whether anything had to be written.
        backup: copy of the file as it was; None when there was none or nothing changed.
        current: the file's current context now; may be empty.
    """

    file: Path
    context: str
    changed: bool
    backup: Path | None
    current: str


def default_file(environ: Mapping[str, str]) -> Path:
    """The file that kubectl writes to: the first one in KUBECONFIG, else ~/.kube/config."""
    listed = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(listed[0]) if listed else Path(environ.get("HOME") or Path.home()) / ".kube" / "config"


def add_access(
    file: Path, access: Access, name: str, *, target: str, uses: bool, forces: bool, patience_s: float = 10.0
) -> Written:
    """Add a cluster, its user and its context to a kubeconfig, or bring ours up to date; all else stays as it is.

    Args:
        file: made when it is not there; the file it links to is the one that changes.
        access: what to add.
        name: of the context, and of the cluster and the user in this file.
        target: whose cluster it is, such as `aws/dev`: only a context of the same target is replaced unasked.
        uses: whether it becomes the current context; in a file without contexts it does anyway.
        forces: whether a context of that name that is not ours is replaced.
        patience_s: how long another program may write to it first.

    Raises:
        PreflightError: the file cannot be read or written, or is no kubeconfig.
        RefusedError: it has a context, cluster or user of that name that is not ours.
        StateError: somebody else is writing to it.
    """
    import yaml

    file = file.expanduser().resolve()
    with _hold(file, patience_s):
        text = _read(file)
        before = _parse(file, text)
        if not forces:
            _require_ours(file, before, access, name, target)
        after = _add(before, access, name, target)
        if uses or not before.get("contexts"):
            after["current-context"] = name
        current = str(after.get("current-context") or "")
        if after == before:
            return Written(file, name, changed=False, backup=None, current=current)
        backup = file.with_name(f"{file.name}.backup") if text is not None else None
        if backup is not None and text is not None:
            write_private(backup, text)
        write_private(file, yaml.safe_dump(after, sort_keys=False, allow_unicode=True))
        return Written(file, name, changed=True, backup=backup, current=current)


def _read(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PreflightError(f"{file} cannot be read: {error}", hint="choose another --file") from error


def _parse(file: Path, text: str | None) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(text or "")
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise PreflightError(f"{file} is no YAML: {reason}", hint="mend it, or choose another --file") from error
    if document is None:
        return {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    lists = [document.get(f"{kind}s") or [] for kind in _KINDS] if isinstance(document, dict) else [None]
    if not all(isinstance(each, list) and all(isinstance(item, dict) for item in each) for each in lists):
        raise PreflightError(f"{file} is no kubeconfig", hint="choose another --file")
    return dict(document)


def _require_ours(file: Path, document: Mapping[str, Any], access: Access, name: str, target: str) -> None:
    """A context of ours names its target; cluster and user belong to the context, or are what we would write."""
    context = _find(document, "context", name)
    if context is not None and _target_of(context) == target:
        return
    wanted = {"cluster": dict(access.cluster), "user": dict(access.user)}
    foreign = ["context"] if context is not None else []
    foreign += [kind for kind, value in wanted.items() if _find(document, kind, name) not in (None, value)]
    if foreign:
        raise RefusedError(
            f"{file} has a {' and a '.join(foreign)} named {name} that is not of {target}",
            hint="choose another name with --context, or replace it with --force",
        )


def _add(document: Mapping[str, Any], access: Access, name: str, target: str) -> dict[str, Any]:
    inside: dict[str, Any] = {"cluster": name, **({"user": name} if access.user else {})}
    if access.namespace != "default":
        inside["namespace"] = access.namespace
    inside["extensions"] = [{"name": _EXTENSION, "extension": {"target": target}}]
    values = {"cluster": dict(access.cluster), "user": dict(access.user), "context": inside}
    after = dict(document)
    for kind, value in values.items():
        if kind == "user" and not access.user:
            continue
        after[f"{kind}s"] = _put(document.get(f"{kind}s") or [], {"name": name, kind: value})
    return after


def _put(items: list[Any], entry: Mapping[str, Any]) -> list[Any]:
    """The list with the entry in the place of the one of its name, or at the end."""
    if any(item.get("name") == entry["name"] for item in items):
        return [dict(entry) if item.get("name") == entry["name"] else item for item in items]
    return [*items, dict(entry)]


def _find(document: Mapping[str, Any], kind: str, name: str) -> Any:
    return next((item.get(kind) for item in document.get(f"{kind}s") or [] if item.get("name") == name), None)


def _target_of(context: Mapping[str, Any]) -> str:
    extensions = context.get("extensions") or []
    return next((str(item["extension"].get("target")) for item in extensions if item.get("name") == _EXTENSION), "")


@contextlib.contextmanager
def _hold(file: Path, patience_s: float) -> Iterator[None]:
    """Hold the lock that kubectl takes too: a file beside the kubeconfig that must not exist yet."""
    lock = file.with_name(f"{file.name}.lock")
    deadline = time.monotonic() + patience_s
    while not _take(lock):
        if time.monotonic() >= deadline:
            raise StateError(
                f"{file} is being written by another program: {lock} is there",
                hint=f"wait until it ends; when none runs, remove {lock}",
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _take(lock: Path) -> bool:
    """Make the lock; one of ours whose process was killed is taken over."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        _remove_abandoned(lock)
        return False
    except OSError as error:
        raise PreflightError(f"cannot write {lock}: {error.strerror}", hint="choose another --file") from error
    own = ProcessId.of(os.getpid())
    with os.fdopen(descriptor, "w") as text:
        text.write(f"mlops {own.pid} {own.created}" if own else "")
    return True


def _remove_abandoned(lock: Path) -> None:
    """Remove the lock if it is ours and its process is gone, and never one that was made in its place meanwhile."""
    with contextlib.suppress(OSError), lock.open("rb") as file:
        # One at a time removes it: whoever waited here has a file open that is gone, and the name may be another's.
        fcntl.flock(file, fcntl.LOCK_EX)
        if _is_abandoned(file.read()) and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            lock.unlink()


def _is_abandoned(text: bytes) -> bool:
    """Whether it is ours, and its process is gone; kubectl's locks are empty and never taken over."""
    try:
        word, pid, created = text.decode().split()
        return word == "mlops" and not ProcessId(int(pid), float(created)).alive
    except ValueError:
        return False

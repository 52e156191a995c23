"""The way to one cluster: a kubeconfig with nothing but that cluster, its user and one context."""

from __future__ import annotations

import base64
import contextlib
import difflib
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.errors import PreflightError

if TYPE_CHECKING:
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.target import CloudName, Env

DEFAULT_NAMESPACE = "default"
EXEC_API = "client.authentication.k8s.io/v1"
# A file reference and what it becomes once its content is inside; tokens stay text, the rest is base64.
_INLINE = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one cluster, as `kubectl`, Helm and every client library take it.

    Attributes:
        kubeconfig: one cluster, one user (none when the cluster asks for none), one context, and no reference to
            another file.
        context: the context's name.
    """

    kubeconfig: Mapping[str, Any] = field(repr=False)
    context: str

    @property
    def cluster(self) -> Mapping[str, Any]:
        """Server, certificate authority and the like."""
        return _only(self.kubeconfig["clusters"], "cluster")

    @property
    def user(self) -> Mapping[str, Any]:
        """Certificate, token or the program that makes one; empty when there is no user."""
        return _only(self.kubeconfig.get("users") or [{}], "user")

    @property
    def server(self) -> str:
        """URL of the API, without a trailing slash."""
        return str(self.cluster["server"]).rstrip("/")

    @property
    def namespace(self) -> str:
        """Where objects go that name no namespace."""
        return str(_only(self.kubeconfig["contexts"], "context").get("namespace") or DEFAULT_NAMESPACE)

    def write(self, path: Path) -> Path:
        """Write the kubeconfig where only its owner can read it; an older one is replaced at once. Returns `path`.

        Raises:
            PreflightError: it cannot be written.
        """
        import yaml

        write_private(path, yaml.safe_dump(dict(self.kubeconfig), sort_keys=False))
        return path


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Who makes the tokens for a cluster that a cloud made: `mlops kube token` with these words.

    Attributes:
        profile: profile of ~/.aws, where the cloud has such a thing; empty means the SDK's own chain.
    """

    cloud: CloudName
    env: Env
    profile: str = ""


def read_access(kubeconfig: str | None, context: str | None, environ: Mapping[str, str]) -> Access:
    """The access that a kubeconfig gives, with every file that it refers to inside.

    Args:
        kubeconfig: a path; None means KUBECONFIG (several paths are merged as kubectl does it), else ~/.kube/config.
        context: its name; None means the current one.
        environ: where KUBECONFIG and HOME are looked up.

    Raises:
        PreflightError: a file, the context or what it refers to is not there or not readable.
    """
    paths = _list_paths(kubeconfig, environ)
    entries = _merge(_read(path) for path in paths)
    where = ", ".join(map(str, paths))
    name = context or entries.current
    if not name:
        raise PreflightError(f"{where}: no current context", hint=f"name one: {_offer(entries.contexts)}")
    chosen = _find(entries.contexts, name, "context", where)
    cluster_name, user_name = chosen.value.get("cluster", ""), chosen.value.get("user", "")
    cluster = _inline(_find(entries.clusters, cluster_name, "cluster", where), where)
    if not cluster.get("server"):
        raise PreflightError(f"{where}: cluster {cluster_name} has no server", hint="write the URL of its API there")
    user = _inline(_find(entries.users, user_name, "user", where), where) if user_name else None
    return Access(_assemble(name, (cluster_name, cluster), (user_name, user), chosen.value.get("namespace")), name)


def access_of(outputs: ClusterOutputs, token: TokenSource) -> Access:
    """The access to a cluster that a cloud made; tokens come from `mlops kube token`, run by whoever needs one.

    It works from every folder and without the cloud's own program: nothing is read but the arguments.
    """
    words = ["--cloud", str(token.cloud), "--env", str(token.env), "--cluster", outputs.cluster_name]
    words += ["--region", outputs.region] if outputs.region else []
    words += ["--profile", token.profile] if token.profile else []
    plugin = {
        "apiVersion": EXEC_API,
        "command": sys.executable,
        "args": ["-m", "platform_cli", "kube", "token", *words],
        "interactiveMode": "Never",
        "provideClusterInfo": False,
    }
    cluster = {"server": outputs.cluster_endpoint, "certificate-authority-data": outputs.cluster_ca_certificate}
    name = outputs.cluster_name
    return Access(_assemble(name, (name, cluster), (name, {"exec": plugin}), None), name)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all.

    Raises:
        PreflightError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise PreflightError(
            f"cannot write {path}: {error.strerror}", hint="choose a place you may write to"
        ) from error


@dataclass(frozen=True, slots=True)
class _Entry:
    """One cluster, user or context, and the folder that its file references start from."""

    value: Mapping[str, Any]
    folder: Path


@dataclass(frozen=True, slots=True)
class _Entries:
    current: str
    clusters: Mapping[str, _Entry]
    users: Mapping[str, _Entry]
    contexts: Mapping[str, _Entry]


def _only(items: Any, key: str) -> Mapping[str, Any]:
    value = items[0].get(key)
    return value if isinstance(value, Mapping) else {}


def _list_paths(kubeconfig: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    if kubeconfig is not None:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise PreflightError(f"there is no kubeconfig {path}", hint="correct existing.kubeconfig")
        return (path,)
    listed = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    wanted = listed or [Path(environ.get("HOME") or Path.home()) / ".kube" / "config"]
    there = tuple(path for path in wanted if path.is_file())
    if not there:
        names = ", ".join(map(str, wanted))
        raise PreflightError(f"there is no kubeconfig: {names}", hint="set KUBECONFIG or existing.kubeconfig to one")
    return there


def _read(path: Path) -> _Entries:
    import yaml

    try:
        document = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise PreflightError(f"{path} cannot be read: {reason}", hint="it must be a kubeconfig that you own") from error
    if not isinstance(document, Mapping):
        raise PreflightError(f"{path} is no kubeconfig", hint="it must begin with `kind: Config`")
    parts = {plural: _index(path, document, plural) for plural in ("clusters", "users", "contexts")}
    return _Entries(current=str(document.get("current-context") or ""), **parts)


def _index(path: Path, document: Mapping[str, Any], plural: str) -> dict[str, _Entry]:
    try:
        singular = plural.removesuffix("s")
        return {
            str(item["name"]): _Entry(item.get(singular) or {}, path.resolve().parent)
            for item in document.get(plural) or []
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise PreflightError(f"{path}: `{plural}` is not a list of named entries", hint="correct the file") from error


def _merge(files: Iterator[_Entries]) -> _Entries:
    """As kubectl does it: of entries with one name, the first file's counts."""
    merged = _Entries("", {}, {}, {})
    for file in files:
        merged = _Entries(
            merged.current or file.current,
            {**file.clusters, **merged.clusters},
            {**file.users, **merged.users},
            {**file.contexts, **merged.contexts},
        )
    return merged


def _find(entries: Mapping[str, _Entry], name: str, kind: str, where: str) -> _Entry:
    if name in entries:
        return entries[name]
    near = difflib.get_close_matches(name, list(entries), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {_offer(entries)}"
    raise PreflightError(f"{where}: there is no {kind} {name or '(unnamed)'}", hint=hint)


def _offer(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _inline(entry: _Entry, where: str) -> dict[str, Any]:
    value = dict(entry.value)
    for reference, key in _INLINE.items():
        if path := value.pop(reference, None):
            value[key] = base64.b64encode(_load(entry.folder, str(path), reference, where)).decode("ascii")
    if path := value.pop("tokenFile", None):
        value["token"] = _load(entry.folder, str(path), "tokenFile", where).decode("utf-8").strip()
    if "exec" in value:
        value["exec"] = {**value["exec"], "command": _place(entry.folder, str(value["exec"].get("command", "")))}
    return value


def _place(folder: Path, command: str) -> str:
    """A program with a slash in its name is meant from the file's folder, another one is looked up on PATH."""
    return str(folder / command) if os.sep in command else command


def _load(folder: Path, path: str, reference: str, where: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        hint = "log in to the cluster again, or correct the path"
        raise PreflightError(f"{where}: {reference} {folder / path}: {error.strerror}", hint=hint) from error


def _assemble(
    context: str, cluster: tuple[str, Mapping[str, Any]], user: tuple[str, Mapping[str, Any] | None], namespace: object
) -> dict[str, Any]:
    chosen = {"cluster": cluster[0]}
    chosen |= {"user": user[0]} if user[1] is not None else {}
    chosen |= {"namespace": str(namespace)} if namespace else {}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster[0], "cluster": dict(cluster[1])}],
        "users": [{"name": user[0], "user": dict(user[1])}] if user[1] is not None else [],
        "contexts": [{"name": context, "context": chosen}],
        "current-context": context,
    }

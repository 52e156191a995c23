"""Where Argo has stored an artifact, and how it comes back to this machine."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from platform_cli.errors import NotFoundError, PreflightError, RefusedError, StateError, ToolError
from platform_cli.workflow.artifact import remove_tree
from platform_cli.workflow.interface import WorkflowObject

ReadSecret = Callable[[Mapping[str, str]], str]
"""The value behind a `{name, key}` of the run's namespace; empty when we may not read it."""
OpenForward = Callable[[str, str, int], AbstractContextManager[int]]
"""Brings the port of a namespace's service to this machine, and yields the port here."""

_CHUNK_BYTES = 1 << 20
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}
_SERVICE = re.compile(
    r"http://(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?(?::(?P<port>\d+))?$"
)

# boto3 finds the endpoint of a region itself; anybody else's must be taken as it is, whatever it begins with.
_AMAZON = re.compile(r"(.+\.)?amazonaws\.com(\.cn)?(:\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """An object in a store: fsspec's protocol, its path there, and what opens the store."""

    protocol: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.protocol}://{self.path}"


def locate(
    workflow: WorkflowObject, artifact: Mapping[str, Any], *, read_secret: ReadSecret, environ: Mapping[str, str]
) -> Place:
    """The object of an artifact, by its key in the run's artifact repository.

    Args:
        workflow: tells the repository.
        artifact: of one of its nodes.
        read_secret: for keys that the repository names.
        environ: AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL win over an endpoint that only pods can reach.

    Raises:
        StateError: it is in a store that we cannot read.
    """
    reference = (workflow.get("status") or {}).get("artifactRepositoryRef") or {}
    repository = reference.get("artifactRepository") or {}
    for store, build in (("s3", _locate_s3), ("gcs", _locate_gcs), ("azure", _locate_azure)):
        if store in artifact or store in repository:
            where = {**(repository.get(store) or {}), **(artifact.get(store) or {})}
            return build(where, read_secret, environ)
    known = ", ".join(sorted(set(artifact) - {"name", "path", "archive"})) or "nowhere"
    raise StateError(f"artifact {artifact['name']} is kept in {known}, not in S3, GCS or Azure Blob")


@contextmanager
def bring_near(place: Place, forward: OpenForward) -> Iterator[Place]:
    """The place as this machine reaches it: a store behind a service of the cluster comes through a port-forward.

    With TLS it is left as it is: its certificate names the service.
    """
    client = place.options.get("client_kwargs", {})
    match = _SERVICE.match(client.get("endpoint_url", ""))
    if match is None:
        yield place
        return
    with forward(match["namespace"], match["name"], int(match["port"] or 80)) as port:
        near = {**client, "endpoint_url": f"http://127.0.0.1:{port}"}
        yield replace(place, options={**place.options, "client_kwargs": near})


def _locate_s3(where: Mapping[str, Any], read_secret: ReadSecret, environ: Mapping[str, str]) -> Place:
    override = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    given = str(where.get("endpoint") or "")
    scheme = "http" if where.get("insecure") else "https"
    own = "" if not given or _AMAZON.fullmatch(given) else f"{scheme}://{given}"
    client = {"region_name": where.get("region"), "endpoint_url": override or own}
    keys = {
        name: value
        for name, field_ in (("key", "accessKeySecret"), ("secret", "secretKeySecret"))
        if (reference := where.get(field_)) and (value := read_secret(reference))
    }
    options = {"client_kwargs": {name: value for name, value in client.items() if value}, **keys}
    return Place("s3", f"{where.get('bucket', '')}/{where.get('key', '')}", options)


def _locate_gcs(where: Mapping[str, Any], _read_secret: ReadSecret, _environ: Mapping[str, str]) -> Place:
    return Place("gs", f"{where.get('bucket', '')}/{where.get('key', '')}")


def _locate_azure(where: Mapping[str, Any], read_secret: ReadSecret, _environ: Mapping[str, str]) -> Place:
    host = str(where.get("endpoint", "")).partition("://")[2]
    options: dict[str, Any] = {"account_name": host.partition(".")[0], "anon": False}
    if (reference := where.get("accountKeySecret")) and (key := read_secret(reference)):
        options["account_key"] = key
    return Place("abfs", f"{where.get('container', '')}/{where.get('blob', '')}", options)


def fetch(place: Place, target: Path) -> None:
    """Copy an object, or a folder of objects, to `target`.

    Raises:
        PreflightError: the package that reads such a store is not installed.
        StateError: the object is gone.
        ToolError: the store cannot be reached or does not let us.
    """
    import fsspec

    try:
        store = fsspec.filesystem(place.protocol, skip_instance_cache=True, **place.options)
        store.get(place.path, str(target), recursive=store.isdir(place.path))
    except ImportError as error:
        package = _PACKAGES[place.protocol]
        raise PreflightError(f"{place} cannot be read: {package} is missing", hint=f"pip install {package}") from error
    except FileNotFoundError as error:
        hint = "the bucket's retention has removed it; run the step again"
        raise StateError(f"{place} is gone", hint=hint) from error
    except _list_errors(place.protocol) as error:
        hint = "check your rights on the bucket; AWS_ENDPOINT_URL_S3 names another way to it"
        raise ToolError(f"{place} cannot be read: {error}", hint=hint) from error


def _list_errors(protocol: str) -> tuple[type[Exception], ...]:
    """What reading a store may raise; its package is there when this is asked."""
    if protocol == "s3":
        from botocore.exceptions import BotoCoreError, ClientError

        return (OSError, BotoCoreError, ClientError)
    if protocol == "abfs":
        from azure.core.exceptions import AzureError

        return (OSError, AzureError)
    from aiohttp import ClientError as HttpError

    return (OSError, HttpError)


def save(download: Callable[[Path], None], artifact: Mapping[str, Any], target: Path) -> None:
    """Have an artifact at `target`, unpacked; what was there before is replaced.

    Raises:
        NotFoundError: its archive is empty.
        RefusedError: its archive would write outside its folder, or make a device.
        ToolError: its archive is broken, or there is no room for what it holds.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".mlops-", dir=target.parent) as folder:
        packed = Path(folder) / "packed"
        download(packed)
        is_whole = "none" in (artifact.get("archive") or {})
        found = packed if is_whole else _open_archive(packed, Path(folder) / "whole", artifact["name"])
        if found is None:
            raise NotFoundError(f"artifact {artifact['name']} is an empty archive")
        remove_tree(target) if target.is_dir() else target.unlink(missing_ok=True)
        shutil.move(found, target)


def _open_archive(packed: Path, folder: Path, name: str) -> Path | None:
    try:
        return _unpack(packed, folder)
    except tarfile.FilterError as error:
        hint = "look into it by hand: something else than Argo wrote it"
        raise RefusedError(f"artifact {name} is not unpacked: {error}", hint=hint) from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        hint = "see that there is room for it, then get it again; if it stays so, run its step again"
        raise ToolError(f"artifact {name} cannot be unpacked: {error}", hint=hint) from error


def _unpack(packed: Path, folder: Path) -> Path | None:
    """The file or folder in an archive of Argo's; a file that is none is what it is."""
    if packed.is_dir():
        return packed
    if tarfile.is_tarfile(packed):
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
            # The checksum comes after the last member, where nobody has read yet.
            while archive.fileobj is not None and archive.fileobj.read(_CHUNK_BYTES):
                pass
    elif zipfile.is_zipfile(packed):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(folder)  # noqa: S202 - zipfile itself keeps members inside
    else:
        return packed
    return next(iter(sorted(folder.iterdir())), None) if folder.is_dir() else None

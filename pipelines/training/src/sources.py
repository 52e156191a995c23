"""Where data comes from: a path, a glob or a URL, read through fsspec with a size limit."""

from __future__ import annotations

import glob
import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from step import DataRefusedError, ParameterError, UnreachableError, did_you_mean

_HTTP = ("http", "https")
_URL = re.compile(r"(\w+://)(?:[^/@\s]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was found.

    Attributes:
        name: how it is called in messages; free of credentials.
        content: its bytes.
        sha256: hex digest of the bytes, the same that `sha256sum` prints.
    """

    name: str
    content: bytes = field(repr=False)
    sha256: str


def public_name(text: str) -> str:
    """A source, or any text, without what may be secret in URLs: the user part and the query (signatures)."""
    return _URL.sub(r"\1\2", text)


def read_source(source: str, *, max_bytes: int) -> tuple[SourceFile, ...]:
    """All files of a source, sorted by name.

    Args:
        source: a file, a glob, or a URL of any scheme that fsspec knows.
        max_bytes: the most that all files together may hold.

    Raises:
        DataRefusedError: missing, unreadable, a folder, or too large.
        ParameterError: nobody can read this kind of URL here.
        UnreachableError: the network or the storage failed.
    """
    paths = _urls(source) if "://" in source else _local_paths(source)
    files: list[SourceFile] = []
    for path in paths:
        left = max_bytes - sum(len(file.content) for file in files)
        files.append(_read(path, left, max_bytes))
    return tuple(files)


def _local_paths(source: str) -> list[str]:
    path = Path(source)
    if path.is_dir():
        raise DataRefusedError(f"{source}: is a folder; name the files in it with a glob such as '{path / '*.csv'}'")
    if path.exists():
        if not path.is_file():
            raise DataRefusedError(f"{source}: is not a regular file")
        return [source]
    found = glob.glob(source, recursive=True)  # noqa: PTH207 - the pattern may be absolute
    matches = sorted(match for match in found if Path(match).is_file())
    if glob.has_magic(source) and not matches:
        raise DataRefusedError(f"{source}: no file matches this glob")
    if not matches:
        raise DataRefusedError(f"{source}: no such file{did_you_mean(path.name, _names_in(path.parent))}")
    return matches


def _names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def _urls(source: str) -> list[str]:
    scheme = source.partition("://")[0]
    if scheme in _HTTP or not glob.has_magic(source):
        return [source]
    filesystem, path = _filesystem(source)
    with _explained(source):
        matches = sorted(filesystem.glob(path))
    if not matches:
        raise DataRefusedError(f"{public_name(source)}: no object matches this glob")
    return [filesystem.unstrip_protocol(match) for match in matches]


def _filesystem(source: str) -> tuple[Any, str]:
    import fsspec.core

    try:
        filesystem, path = fsspec.core.url_to_fs(source)
    except ImportError as error:
        raise ParameterError(f"{public_name(source)}: this kind of URL cannot be read here: {error}") from error
    except ValueError as error:
        raise ParameterError(f"{public_name(source)}: not a source we know: {error}") from error
    return filesystem, path


def _read(path: str, left: int, max_bytes: int) -> SourceFile:
    name = public_name(path)
    with _explained(path), _opened(path) as stream:
        content = _read_at_most(stream, left + 1)
    if len(content) > left:
        raise DataRefusedError(f"{name}: the data is larger than max-bytes ({max_bytes})")
    return SourceFile(name=name, content=content, sha256=hashlib.sha256(content).hexdigest())


def _opened(path: str) -> Any:
    if "://" not in path:
        return Path(path).open("rb")
    filesystem, inner = _filesystem(path)
    # A web server need not know byte ranges; without blocks fsspec reads the answer as one stream.
    options = {"block_size": 0} if path.partition("://")[0] in _HTTP else {}
    return filesystem.open(inner, "rb", **options)


def _read_at_most(stream: Any, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size < limit and (chunk := stream.read(limit - size)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    name = public_name(path)
    try:
        yield
    except FileNotFoundError as error:
        # fsspec says "not found" for a web server that cannot be reached, too.
        if isinstance(error.__cause__, _remote_errors()) and getattr(error.__cause__, "status", None) is None:
            raise _remote_failure(name, error.__cause__) from error
        raise DataRefusedError(f"{name}: not found") from None
    except IsADirectoryError:
        raise DataRefusedError(f"{name}: is a folder; name the files in it with a glob") from None
    except PermissionError:
        raise DataRefusedError(f"{name}: may not be read (permission denied)") from None
    except _remote_errors() as error:
        raise _remote_failure(name, error) from error


def _remote_errors() -> tuple[type[BaseException], ...]:
    """The errors of the clients that fsspec has loaded; evaluated when something was raised."""
    errors: list[type[BaseException]] = [OSError]
    for module, name in (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError")):
        if module in sys.modules:
            errors.append(getattr(sys.modules[module], name))
    return tuple(errors)


def _remote_failure(name: str, error: BaseException) -> DataRefusedError | UnreachableError:
    status = getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 500:  # noqa: PLR2004 - HTTP: the client's fault
        return DataRefusedError(f"{name}: the server refused with status {status}")
    return UnreachableError(f"{name}: cannot be reached: {type(error).__name__}: {public_name(str(error))}")

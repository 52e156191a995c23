"""Fetch a registered model from MLflow into a folder: KServe runs this before the model server.

    python storage_initializer.py mlflow://models/NAME/VERSION /mnt/models

The registry is `$MLFLOW_TRACKING_URI`. Artifacts come through it, or straight from s3://, gs:// or wasbs:// with the
identity of the pod. Exit status: 0 when the folder holds the model, 2 for an address that names none, 3 when there is
no such model, 1 when it cannot be fetched. The last line on standard error says why.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ADDRESS = re.compile(r"mlflow://models/(?P<name>[^/@:]+)/(?P<version>[0-9]+)/?")
_LOGGED_MODEL = "models:/"
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # KServe starts the container again and again: a server that is away is reported soon, not after minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
}


class FetchError(Exception):
    """Why there is no model, in one line, and the exit status that says so."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Address(NamedTuple):
    """A version of a registered model."""

    name: str
    version: str


def parse_address(text: str) -> Address:
    """Read `mlflow://models/NAME/VERSION`; the name may be percent-encoded.

    Raises:
        FetchError: it names no version of a model.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise FetchError(f"'{text}' names no model version; write mlflow://models/NAME/VERSION", 2)
    return Address(urllib.parse.unquote(match["name"]), match["version"])


def fetch(address: Address, folder: Path, tracking_uri: str) -> None:
    """Put the model's files into `folder`, where `MLmodel` appears last.

    Raises:
        FetchError: there is no such model, or it cannot be had.
    """
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    location = _locate(client, address)
    with _scratch(folder) as scratch:
        found = Path(
            download_artifacts(
                artifact_uri=location, dst_path=str(scratch), tracking_uri=tracking_uri, registry_uri=tracking_uri
            )
        )
        if not (found / "MLmodel").is_file():
            raise FetchError(f"{location} holds no MLflow model (no file MLmodel)", 3)
        _move(found, folder)


def _locate(client: MlflowClient, address: Address) -> str:
    from mlflow.exceptions import MlflowException

    try:
        location = client.get_model_version_download_uri(address.name, address.version)
        # Not `models:/name/version`: MLflow would resolve that against its process-wide registry.
        if location.startswith(_LOGGED_MODEL):
            location = client.get_logged_model(location.removeprefix(_LOGGED_MODEL)).artifact_location
    except MlflowException as error:
        if error.error_code in _ABSENT:
            raise FetchError(f"MLflow has no model '{address.name}' version {address.version}", 3) from error
        raise
    return str(location)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A place below the folder, the only one that may be written to; what an earlier attempt left there goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        os.environ["TMPDIR"] = tempfile.tempdir = scratch
        yield Path(scratch)


def _move(found: Path, folder: Path) -> None:
    for path in sorted(found.iterdir(), key=lambda path: path.name == "MLmodel"):
        path.replace(folder / path.name)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Fetch what `argv` says; returns the exit status."""
    try:
        address, folder, tracking_uri = read_command(argv, environ)
        _fetch(address, folder, tracking_uri)
    except FetchError as error:
        print(f"storage_initializer: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        return error.status
    print(f"model '{address.name}' version {address.version} is in {folder}", flush=True)
    return 0


def read_command(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[Address, Path, str]:
    """What to fetch, where to, and the registry's address.

    Raises:
        FetchError: one of them is missing or makes no sense.
    """
    if len(argv) != 2:  # noqa: PLR2004 - an address and a folder
        raise FetchError("usage: storage_initializer.py mlflow://models/NAME/VERSION FOLDER", 2)
    tracking_uri = environ.get("MLFLOW_TRACKING_URI", "")
    if not tracking_uri:
        raise FetchError("MLFLOW_TRACKING_URI is not set; it names the MLflow server", 2)
    return parse_address(argv[0]), Path(argv[1]), tracking_uri


def _fetch(address: Address, folder: Path, tracking_uri: str) -> None:
    os.environ.update(_SETTINGS)
    from mlflow.exceptions import MlflowException

    # Each cloud's library raises its own besides: their traceback ends with the reason, too.
    try:
        fetch(address, folder, tracking_uri)
    except (MlflowException, OSError) as error:
        place = f"{address.name}/{address.version} through {_public(tracking_uri)}"
        raise FetchError(f"cannot fetch {place}: {_why(error)}", 1) from error


def _why(error: BaseException) -> str:
    """The innermost reason: MLflow and urllib3 wrap a refused connection four times."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason given'}"


def _public(uri: str) -> str:
    """An address without user and password."""
    parts = urllib.parse.urlsplit(uri)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

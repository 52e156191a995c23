"""Ask a served model: rows in, rows out, over the Open Inference Protocol V2. Light to import."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from platform_cli.errors import DeadlineError, InputError, MlopsError, NotFoundError, NotReadyError, ToolError
from platform_cli.serving.payload import ModelMetadata, build_request, read_metadata, read_rows
from platform_cli.serving.rows import Table

_VALUES_PER_REQUEST = 100_000
_ERRORS: dict[int, type[MlopsError]] = {400: InputError, 404: NotFoundError, 413: InputError, 503: NotReadyError}


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer: one row per row given, by output name."""

    model: str
    version: str
    rows: tuple[Mapping[str, Any], ...]


def predict(url: str, table: Table, *, timeout_s: float = 60.0) -> Prediction:
    """Ask the model at `url`, such as `http://127.0.0.1:8500/v2/models/iris`, in as many requests as it takes.

    Raises:
        InputError: the rows do not fit the model; nothing was sent.
        NotReadyError: nothing answers there, or the model is loading.
        NotFoundError: another model answers there.
        DeadlineError: no answer within `timeout_s`.
        ToolError: the model failed.
    """
    metadata = fetch_metadata(url, timeout_s=timeout_s)
    request = build_request(metadata, table)
    rows: list[Mapping[str, Any]] = []
    for part in _split(request, len(table.rows)):
        rows.extend(read_rows(_call("POST", f"{url}/infer", part, timeout_s)))
    return Prediction(metadata.name, metadata.version, tuple(rows))


def fetch_metadata(url: str, *, timeout_s: float = 60.0) -> ModelMetadata:
    """What the model at `url` takes.

    Raises:
        NotReadyError: nothing answers there, or the model is loading.
    """
    return read_metadata(_call("GET", url, None, timeout_s))


def _split(request: Mapping[str, Any], rows: int) -> Iterator[dict[str, Any]]:
    tensors = request["inputs"]
    size = max(1, _VALUES_PER_REQUEST // max(1, len(tensors)))
    for start in range(0, rows, size):
        parts = [{**tensor, "data": tensor["data"][start : start + size]} for tensor in tensors]
        yield {"inputs": [{**part, "shape": [len(part["data"])]} for part in parts]}


def _call(method: str, url: str, document: Mapping[str, Any] | None, timeout_s: float) -> Any:
    parts = urllib.parse.urlsplit(url)
    body = None if document is None else json.dumps(document, ensure_ascii=False).encode()
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request(method, parts.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return _read(response.status, response.read(), url)
    except TimeoutError as error:
        raise DeadlineError(f"{url} did not answer within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotReadyError(f"nothing answers at {url}: {error}", hint="mlops status shows what runs") from error
    finally:
        connection.close()


def _read(status: int, body: bytes, url: str) -> Any:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ToolError(f"{url} answered with status {status} and no JSON") from error
    if status == http.client.OK:
        return document
    reason = document.get("error", f"status {status}") if isinstance(document, dict) else f"status {status}"
    raise _ERRORS.get(status, ToolError)(f"the model server says: {reason}")

"""A stand-in for Azure on loopback: its resource manager as far as states need it, and blobs with versions and leases.

Management calls are `/subscriptions/…`; everything else is a blob's address, `/account/container/name`. It takes any
credentials, also none.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

GROUP = re.compile(r"^/subscriptions/[^/]+/resource[gG]roups/(?P<group>[^/]+)$")
ACCOUNT = re.compile(r"(?P<group>/subscriptions/.+)/providers/Microsoft.Storage/storageAccounts/(?P<account>[^/]+)$")


class RefusalError(Exception):
    """An answer that is an error, by Azure's code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Kept:
    """One version of a blob."""

    content: bytes
    metadata: dict[str, str]
    version: str
    written: float


@dataclass
class StoredBlob:
    """A blob: its versions, the current one last, and its lease."""

    versions: list[Kept] = field(default_factory=list)
    lease: str = ""


@dataclass
class AzureStandIn:
    """A WSGI application; state is in the object. Accounts named in `foreign` belong to somebody else."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    blobs: dict[tuple[str, str], dict[str, StoredBlob]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        try:
            with self.one_at_a_time:
                answer = self.manage(request) if request.path.startswith("/subscriptions") else self.serve(request)
        except RefusalError as error:
            answer = refuse(error, request)
        return answer(environ, start_response)

    # --- the resource manager ---

    def manage(self, request: Request) -> Response:
        path = request.path.replace("/resourcegroups/", "/resourceGroups/")
        if path.endswith("/checkNameAvailability"):
            taken = json.loads(request.data)["name"] in self.foreign
            said = {"reason": "AlreadyExists", "message": "The storage account is already taken."} if taken else {}
            return reply({"nameAvailable": not taken, **said})
        if path.endswith("/resources"):
            below = path.removesuffix("/resources") + "/providers/"
            return reply({"value": [value for key, value in self.resources.items() if key.startswith(below)]})
        if request.method == "DELETE":
            return self.drop(path)
        if request.method in {"PUT", "PATCH"}:
            return self.put(path, json.loads(request.data))
        found = self.resources.get(path)
        if found is None:
            raise RefusalError(404, "ResourceNotFound")
        return reply(found)

    def put(self, path: str, wish: dict[str, Any]) -> Response:
        known = self.resources.get(path, {})
        properties = {**known.get("properties", {}), **wish.get("properties", {}), "provisioningState": "Succeeded"}
        made = {**known, **wish, "id": path, "name": path.rpartition("/")[2], "properties": properties}
        self.resources[path] = made
        if ACCOUNT.match(path):
            self.resources.setdefault(f"{path}/blobServices/default", {"id": path, "properties": {}})
        if "/containers/" in path:
            account, container = re.findall(r"/storageAccounts/([^/]+)/.*/containers/([^/]+)$", path)[0]
            self.blobs.setdefault((account, container), {})
        return reply(made)

    def drop(self, path: str) -> Response:
        for key in [key for key in self.resources if key == path or key.startswith(f"{path}/")]:
            del self.resources[key]
        if found := ACCOUNT.match(path):
            self.blobs = {key: value for key, value in self.blobs.items() if key[0] != found["account"]}
        return Response(status=200)

    # --- blobs ---

    def serve(self, request: Request) -> Response:
        account, _, rest = request.path.lstrip("/").partition("/")
        container, _, name = rest.partition("/")
        blobs = self.blobs.get((account, container))
        if blobs is None:
            raise RefusalError(404, "ContainerNotFound")
        what = request.args.get("comp", "")
        if not name:
            return self.list(blobs, request)
        if request.method == "PUT" and not what:
            return self.upload(blobs, name, request)
        blob = blobs.get(name)
        if blob is None or not blob.versions:
            raise RefusalError(404, "BlobNotFound")
        if what == "lease":
            return lease(blob, request)
        if request.method == "DELETE":
            require_lease(blob, request)
            del blobs[name]
            return Response(status=202)
        if what == "metadata":
            require_lease(blob, request)
            self.keep(blob, blob.versions[-1].content, metadata_of(request))
            return Response(status=200, headers=headers_of(blob, blob.versions[-1]))
        return read(blob, request)

    def upload(self, blobs: dict[str, StoredBlob], name: str, request: Request) -> Response:
        blob = blobs.setdefault(name, StoredBlob())
        require_lease(blob, request)
        self.keep(blob, request.data, metadata_of(request))
        return Response(status=201, headers=headers_of(blob, blob.versions[-1]))

    def keep(self, blob: StoredBlob, content: bytes, metadata: dict[str, str]) -> None:
        self.count += 1
        now = time.time()
        version = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S}.{self.count:07}Z"
        blob.versions.append(Kept(content, metadata, version, now))

    def list(self, blobs: dict[str, StoredBlob], request: Request) -> Response:
        every = "versions" in request.args.get("include", "")
        items = [
            item_xml(name, kept, current=kept is blob.versions[-1])
            for name, blob in sorted(blobs.items())
            for kept in blob.versions
            if name.startswith(request.args.get("prefix", "")) and (every or kept is blob.versions[-1])
        ]
        body = f"<EnumerationResults><Blobs>{''.join(items)}</Blobs><NextMarker /></EnumerationResults>"
        return Response(f'<?xml version="1.0" encoding="utf-8"?>{body}', content_type="application/xml")


def lease(blob: StoredBlob, request: Request) -> Response:
    action = request.headers["x-ms-lease-action"]
    if action == "acquire":
        proposed = request.headers.get("x-ms-proposed-lease-id", str(uuid.uuid4()))
        # Whoever proposes the lease that there is gets it anew.
        if blob.lease not in ("", proposed):
            raise RefusalError(409, "LeaseAlreadyPresent")
        blob.lease = proposed
        return Response(status=201, headers={"x-ms-lease-id": blob.lease})
    if action == "release" and request.headers["x-ms-lease-id"] != blob.lease:
        raise RefusalError(409, "LeaseIdMismatchWithLeaseOperation")
    blob.lease = ""
    return Response(status=202 if action == "break" else 200, headers={"x-ms-lease-time": "0"})


def require_lease(blob: StoredBlob, request: Request) -> None:
    given = request.headers.get("x-ms-lease-id", "")
    if given != blob.lease:
        raise RefusalError(412, "LeaseIdMissing" if blob.lease and not given else "LeaseIdMismatchWithBlobOperation")


def read(blob: StoredBlob, request: Request) -> Response:
    wanted = request.args.get("versionid")
    found = next((kept for kept in blob.versions if kept.version == wanted), None if wanted else blob.versions[-1])
    if found is None:
        raise RefusalError(404, "BlobNotFound")
    headers = headers_of(blob, found)
    if not found.content and "x-ms-range" in request.headers:
        raise RefusalError(416, "InvalidRange")
    size = len(found.content)
    status = 206 if "x-ms-range" in request.headers else 200
    if status == 206:
        headers["Content-Range"] = f"bytes 0-{size - 1}/{size}"
    if request.method == "HEAD":
        return Response(status=200, headers={**headers, "Content-Length": str(size)})
    return Response(found.content, status=status, headers=headers)


def metadata_of(request: Request) -> dict[str, str]:
    return {
        name[10:].lower(): value for name, value in request.headers.items() if name.lower().startswith("x-ms-meta-")
    }


def headers_of(blob: StoredBlob, kept: Kept) -> dict[str, str]:
    return {
        **{f"x-ms-meta-{name}": value for name, value in kept.metadata.items()},
        "ETag": f'"{kept.version}"',
        "Last-Modified": format_datetime(datetime.fromtimestamp(kept.written, UTC), usegmt=True),
        "x-ms-blob-type": "BlockBlob",
        "x-ms-lease-state": "leased" if blob.lease else "available",
        "x-ms-lease-status": "locked" if blob.lease else "unlocked",
        "x-ms-version-id": kept.version,
        "x-ms-request-server-encrypted": "true",
    }


def item_xml(name: str, kept: Kept, *, current: bool) -> str:
    when = format_datetime(datetime.fromtimestamp(kept.written, UTC), usegmt=True)
    return (
        f"<Blob><Name>{escape(name)}</Name><VersionId>{kept.version}</VersionId>"
        f"{'<IsCurrentVersion>true</IsCurrentVersion>' if current else ''}<Properties><Last-Modified>{when}"
        f"</Last-Modified><Content-Length>{len(kept.content)}</Content-Length><BlobType>BlockBlob</BlobType>"
        "</Properties></Blob>"
    )


def refuse(error: RefusalError, request: Request) -> Response:
    headers = {"x-ms-error-code": error.code}
    if request.path.startswith("/subscriptions"):
        body = json.dumps({"error": {"code": error.code, "message": error.code}})
        return Response(body, status=error.status, headers=headers, content_type="application/json")
    body = f'<?xml version="1.0"?><Error><Code>{error.code}</Code><Message>{error.code}</Message></Error>'
    return Response(body, status=error.status, headers=headers, content_type="application/xml")


def reply(value: dict[str, Any]) -> Response:
    return Response(json.dumps(value), content_type="application/json")


@contextmanager
def serving() -> Iterator[tuple[AzureStandIn, str]]:
    stand_in = AzureStandIn()
    server = make_server("127.0.0.1", 0, stand_in, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stand_in, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

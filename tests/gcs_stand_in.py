"""A stand-in for Google Cloud Storage on loopback: buckets, objects with generations, and conditions on them.

It answers the part of the JSON API that states need, as Google documents it; clients find it by STORAGE_EMULATOR_HOST
and Terraform by GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT. It takes any credentials.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

OBJECT = re.compile(r"^(?:/download)?(?:/storage/v1)?/b/(?P<bucket>[^/]+)/o(?:/(?P<name>.+))?$")
UPLOAD = re.compile(r"^/upload/storage/v1/b/(?P<bucket>[^/]+)/o$")
READ = re.compile(r"^/(?P<bucket>[^/]+)/(?P<name>.+)$")
BUCKET = re.compile(r"^(?:/storage/v1)?/b/(?P<bucket>[^/]+)$")


@dataclass
class Stored:
    """One generation of an object."""

    name: str
    content: bytes
    kind: str
    generation: int
    created: float
    deleted: float = 0.0

    def document(self, bucket: str) -> dict[str, Any]:
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": self.name,
            "size": str(len(self.content)),
            "contentType": self.kind,
            "generation": str(self.generation),
            "metageneration": "1",
            "md5Hash": base64.b64encode(hashlib.md5(self.content).digest()).decode(),
            "timeCreated": stamp(self.created),
            "updated": stamp(self.created),
            **({"timeDeleted": stamp(self.deleted)} if self.deleted else {}),
        }


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class GcsStandIn:
    """A WSGI application; state is in the object. Buckets named in `foreign` belong to somebody else."""

    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, list[Stored]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    last: int = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        try:
            with self.one_at_a_time:
                answer = self.answer(request)
        except RefusalError as error:
            body = {"error": {"code": error.status, "message": str(error), "errors": [{"message": str(error)}]}}
            answer = Response(json.dumps(body), status=error.status, content_type="application/json")
        return answer(environ, start_response)

    def answer(self, request: Request) -> Response:
        if found := UPLOAD.match(request.path):
            return self.upload(self.open(found["bucket"]), found["bucket"], request)
        if found := OBJECT.match(request.path):
            return self.on_objects(found["bucket"], found["name"], request)
        if found := BUCKET.match(request.path):
            return self.on_bucket(found["bucket"], request)
        if request.path.rstrip("/").endswith("/b") and request.method == "POST":
            return self.create(json.loads(request.data))
        if (found := READ.match(request.path)) and request.method in {"GET", "HEAD"}:
            return self.read(found["bucket"], found["name"], request)
        raise RefusalError(501, f"the stand-in does not know {request.method} {request.path}")

    def open(self, bucket: str) -> list[Stored]:
        if bucket in self.foreign:
            raise RefusalError(403, "you do not have storage.objects.list access")
        if bucket not in self.buckets:
            raise RefusalError(404, "The specified bucket does not exist.")
        return self.objects[bucket]

    def create(self, wish: dict[str, Any]) -> Response:
        if wish["name"] in self.buckets or wish["name"] in self.foreign:
            raise RefusalError(409, "The requested bucket name is not available.")
        made = {"kind": "storage#bucket", "id": wish["name"], "metageneration": "1", **wish}
        self.buckets[wish["name"]], self.objects[wish["name"]] = made, []
        return reply(made)

    def on_bucket(self, name: str, request: Request) -> Response:
        stored = self.open(name)
        if request.method == "DELETE":
            if stored:
                raise RefusalError(409, "The bucket you tried to delete is not empty.")
            del self.buckets[name], self.objects[name]
            return Response(status=204)
        if request.method in {"PATCH", "PUT"}:
            self.buckets[name] |= json.loads(request.data)
        return reply(self.buckets[name])

    def on_objects(self, bucket: str, name: str | None, request: Request) -> Response:
        stored = self.open(bucket)
        if name is None:
            return self.list(bucket, stored, request)
        found = self.find(stored, name, request.args.get("generation"))
        if request.method == "DELETE":
            require(request, found)
            self.remove(bucket, stored, found, forever="generation" in request.args)
            return Response(status=204)
        if request.args.get("alt") == "media":
            return content_of(found)
        return reply(found.document(bucket))

    def read(self, bucket: str, name: str, request: Request) -> Response:
        """The XML API, by which Terraform reads."""
        return content_of(self.find(self.open(bucket), name, request.args.get("generation")))

    def list(self, bucket: str, stored: list[Stored], request: Request) -> Response:
        every = request.args.get("versions", "").lower() == "true"
        found = [
            item.document(bucket)
            for item in sorted(stored, key=lambda item: (item.name, item.generation))
            if item.name.startswith(request.args.get("prefix", "")) and (every or not item.deleted)
        ]
        return reply({"kind": "storage#objects", "items": found})

    def find(self, stored: list[Stored], name: str, generation: str | None) -> Stored:
        for item in stored:
            if item.name == name and (str(item.generation) == generation if generation else not item.deleted):
                return item
        raise RefusalError(404, f"No such object: {name}")

    def upload(self, stored: list[Stored], bucket: str, request: Request) -> Response:
        name, kind, content = parts(request)
        present = next((item for item in stored if item.name == name and not item.deleted), None)
        require(request, present)
        if present:
            self.remove(bucket, stored, present, forever=False)
        self.last = max(self.last + 1, int(time.time() * 1e6))
        made = Stored(name, content, kind, self.last, time.time())
        stored.append(made)
        return reply(made.document(bucket))

    def remove(self, bucket: str, stored: list[Stored], item: Stored, *, forever: bool) -> None:
        kept = self.buckets[bucket].get("versioning", {}).get("enabled") and not forever
        item.deleted = time.time()
        if not kept:
            stored.remove(item)


def content_of(found: Stored) -> Response:
    answer = Response(found.content, content_type=found.kind)
    answer.headers["x-goog-generation"] = str(found.generation)
    answer.headers["x-goog-metageneration"] = "1"
    return answer


def require(request: Request, present: Stored | None) -> None:
    """The condition on a generation; 0 means that there is none."""
    wanted = request.args.get("ifGenerationMatch")
    if wanted is not None and int(wanted) != (present.generation if present else 0):
        raise RefusalError(412, "At least one of the pre-conditions you specified did not hold.")


def parts(request: Request) -> tuple[str, str, bytes]:
    """Name, type and content of an upload, in one piece or with its metadata before it."""
    kind = request.headers.get("Content-Type", "")
    if request.args.get("uploadType") != "multipart":
        return request.args["name"], kind, request.data
    boundary = re.search(r'boundary="?([^";]+)', kind)
    assert boundary
    _, metadata, content, _ = request.data.split(b"--" + boundary[1].encode())
    described = json.loads(metadata.partition(b"\r\n\r\n")[2])
    head, _, body = content.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-type: *([^\r\n]+)", head)
    return described["name"], found[1].decode() if found else "", body.removesuffix(b"\r\n")


def reply(value: dict[str, Any]) -> Response:
    return Response(json.dumps(value), content_type="application/json; charset=UTF-8")


@contextmanager
def serving() -> Iterator[tuple[GcsStandIn, str]]:
    stand_in = GcsStandIn()
    server = make_server("127.0.0.1", 0, stand_in, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stand_in, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

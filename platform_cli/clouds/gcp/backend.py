"""Terraform's state in Google Cloud Storage: an object with its generations, and Terraform's lock object beside it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from platform_cli.clouds.gcp.state_bucket import KIND, GcsStore, explained, open_client
from platform_cli.clouds.terraform.backend import Blob, Lock, Settings, StateBackend, StateStore, Version, parse_lock
from platform_cli.errors import StateError, UsageError


@dataclass(frozen=True, slots=True)
class GcsBackend:
    """One state in a bucket, as Terraform names it below a prefix; a lock's id is the generation of its object."""

    bucket: str
    prefix: str
    client: Any = field(repr=False)

    @property
    def kind(self) -> str:
        """See `StateBackend.kind`."""
        return KIND

    @property
    def place(self) -> str:
        """See `StateBackend.place`."""
        return f"gs://{self.bucket}/{self._key}"

    @property
    def settings(self) -> Settings:
        """See `StateBackend.settings`."""
        return {"bucket": self.bucket}

    def read(self, version: str = "") -> Blob | None:
        """See `StateBackend.read`."""
        if version and not version.isdigit():
            return None
        found = self._read(self._key, int(version) if version else None)
        return found if found and found.content else None

    def write(self, content: bytes) -> None:
        """See `StateBackend.write`."""
        self._put(self._key, content)

    def list_versions(self) -> tuple[Version, ...]:
        """See `StateBackend.list_versions`."""
        with explained(self.place):
            listed = list(self.client.list_blobs(self.bucket, prefix=self._key, versions=True))
        found = sorted((blob for blob in listed if blob.name == self._key), key=lambda blob: -int(blob.generation))
        return tuple(
            Version(str(blob.generation), blob.time_created.timestamp(), current=blob.time_deleted is None)
            for blob in found
        )

    def read_lock(self) -> Lock | None:
        """See `StateBackend.read_lock`."""
        found = self._read(self._lock_key, None)
        return replace(parse_lock(found.content), id=found.version) if found else None

    @contextlib.contextmanager
    def hold_lock(self, lock: Lock) -> Iterator[None]:
        """See `StateBackend.hold_lock`."""
        try:
            generation = str(self._put(self._lock_key, lock.to_text(self.place), if_generation_match=0))
        except FileExistsError as error:
            # The answer to a first try may have been lost on its way.
            found = self._read(self._lock_key, None)
            if found is None or parse_lock(found.content).id != lock.id:
                raise StateError(f"{self.place} is locked", hint="mlops state lock tells by whom") from error
            generation = found.version
        try:
            yield
        finally:
            self.break_lock(replace(lock, id=generation))

    def break_lock(self, lock: Lock) -> None:
        """See `StateBackend.break_lock`."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        with explained(self.place), contextlib.suppress(NotFound, PreconditionFailed):
            self._open(self._lock_key).delete(if_generation_match=int(lock.id))

    def read_note(self, name: str) -> bytes | None:
        """See `StateBackend.read_note`."""
        found = self._read(self._note_key(name), None)
        return found.content if found else None

    def write_note(self, name: str, content: bytes) -> None:
        """See `StateBackend.write_note`."""
        self._put(self._note_key(name), content)

    def remove_note(self, name: str) -> None:
        """See `StateBackend.remove_note`."""
        from google.api_core.exceptions import NotFound

        with explained(self.place), contextlib.suppress(NotFound):
            self._open(self._note_key(name)).delete()

    @property
    def _key(self) -> str:
        return f"{self.prefix}/default.tfstate"

    @property
    def _lock_key(self) -> str:
        return f"{self.prefix}/default.tflock"

    def _note_key(self, name: str) -> str:
        return f"mlops/{name}/{self._key}.json"

    def _open(self, key: str, generation: int | None = None) -> Any:
        return self.client.bucket(self.bucket).blob(key, generation=generation)

    def _read(self, key: str, generation: int | None) -> Blob | None:
        """The newest generation that is not deleted, or the one that is named."""
        from google.api_core.exceptions import NotFound

        with explained(self.place):
            try:
                found = self._open(key, generation)
                found.reload()
                content = self._open(key, found.generation).download_as_bytes()
            except NotFound as error:
                if "bucket" in str(error):
                    raise
                return None
        return Blob(content, str(found.generation), found.time_created.timestamp())

    def _put(self, key: str, content: bytes, **condition: int) -> int:
        with explained(self.place):
            blob = self._open(key)
            blob.upload_from_string(content, content_type="application/json", **condition)
        return int(blob.generation)


@dataclass(frozen=True, slots=True)
class GcsService:
    """States in Google Cloud Storage.

    Attributes:
        project: None means the one of the credentials.
        bucket: the one that platform.yaml names; None when it names none.
        region: of new buckets; empty means the root's.
        prefix: begins the name of a new bucket.
    """

    project: str | None
    bucket: str | None
    region: str
    prefix: str
    tags: Settings

    @property
    def kind(self) -> str:
        """See `StateService.kind`."""
        return KIND

    @property
    def hint(self) -> str:
        """See `StateService.hint`."""
        return "gcp: {{state_bucket: {bucket}}}"

    def configured(self, region: str) -> Settings | None:  # noqa: ARG002 - a bucket's name is enough
        """See `StateService.configured`."""
        return {"bucket": self.bucket} if self.bucket else None

    def name_store(self, name: str, region: str) -> Settings:
        """See `StateService.name_store`. Names are taken by anybody in the world: ours have the project's hash."""
        if not name:
            project = self.project or open_client(None).project
            if not project:
                raise UsageError("no Google Cloud project is known", hint="gcp.project in platform.yaml")
            name = f"{self.prefix}-tfstate-{hashlib.sha256(f'{project}/{region}'.encode()).hexdigest()[:12]}"
        return {"bucket": name}

    def open_store(self, settings: Settings, region: str) -> StateStore:
        """See `StateService.open_store`."""
        return GcsStore(settings["bucket"], self.region or region, open_client(self.project), self.tags)

    def open_backend(self, settings: Settings, arguments: Settings) -> StateBackend:
        """See `StateService.open_backend`."""
        return GcsBackend(settings["bucket"], arguments["prefix"], open_client(self.project))

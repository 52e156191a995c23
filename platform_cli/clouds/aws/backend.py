"""Terraform's state in S3: an object with its versions, and Terraform's lock object beside it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from platform_cli.clouds.aws.account import open_client
from platform_cli.clouds.aws.state_bucket import ABSENT, KIND, S3Store, explained
from platform_cli.clouds.terraform.backend import Blob, Lock, Settings, StateBackend, StateStore, Version, parse_lock
from platform_cli.errors import StateError


@dataclass(frozen=True, slots=True)
class S3Backend:
    """One state in a bucket; the lock is the object `KEY.tflock`, notes lie below `mlops/`."""

    bucket: str
    key: str
    region: str
    client: Any = field(repr=False)

    @property
    def kind(self) -> str:
        """See `StateBackend.kind`."""
        return KIND

    @property
    def place(self) -> str:
        """See `StateBackend.place`."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def settings(self) -> Settings:
        """See `StateBackend.settings`."""
        return {"bucket": self.bucket, "region": self.region}

    def read(self, version: str = "") -> Blob | None:
        """See `StateBackend.read`."""
        which = {"VersionId": version} if version else {}
        with explained(self.place):
            found = _get(self.client, Bucket=self.bucket, Key=self.key, **which)
        return found if found and found.content else None

    def write(self, content: bytes) -> None:
        """See `StateBackend.write`."""
        self._put(self.key, content)

    def list_versions(self) -> tuple[Version, ...]:
        """See `StateBackend.list_versions`."""
        with explained(self.place):
            pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=self.key)
            found = [item for page in pages for item in page.get("Versions", []) if item["Key"] == self.key]
        return tuple(Version(item["VersionId"], item["LastModified"].timestamp(), item["IsLatest"]) for item in found)

    def read_lock(self) -> Lock | None:
        """See `StateBackend.read_lock`."""
        with explained(self.place):
            found = _get(self.client, Bucket=self.bucket, Key=self._lock_key)
        return parse_lock(found.content) if found else None

    @contextlib.contextmanager
    def hold_lock(self, lock: Lock) -> Iterator[None]:
        """See `StateBackend.hold_lock`."""
        try:
            self._put(self._lock_key, lock.to_text(f"{self.bucket}/{self.key}"), IfNoneMatch="*")
        except FileExistsError as error:
            # The answer to a first try may have been lost on its way.
            found = self.read_lock()
            if found is None or found.id != lock.id:
                raise StateError(f"{self.place} is locked", hint="mlops state lock tells by whom") from error
        try:
            yield
        finally:
            self.break_lock(lock)

    def break_lock(self, lock: Lock) -> None:
        """See `StateBackend.break_lock`."""
        found = self.read_lock()
        if found is not None and found.id == lock.id:
            with explained(self.place):
                self.client.delete_object(Bucket=self.bucket, Key=self._lock_key)

    def read_note(self, name: str) -> bytes | None:
        """See `StateBackend.read_note`."""
        with explained(self.place):
            found = _get(self.client, Bucket=self.bucket, Key=self._note_key(name))
        return found.content if found else None

    def write_note(self, name: str, content: bytes) -> None:
        """See `StateBackend.write_note`."""
        self._put(self._note_key(name), content)

    def remove_note(self, name: str) -> None:
        """See `StateBackend.remove_note`."""
        with explained(self.place):
            self.client.delete_object(Bucket=self.bucket, Key=self._note_key(name))

    @property
    def _lock_key(self) -> str:
        return f"{self.key}.tflock"

    def _note_key(self, name: str) -> str:
        return f"mlops/{name}/{self.key}.json"

    def _put(self, key: str, content: bytes, **condition: str) -> None:
        with explained(self.place):
            self.client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=content,
                ContentType="application/json",
                ServerSideEncryption="AES256",
                **condition,
            )


@dataclass(frozen=True, slots=True)
class S3Service:
    """States in S3, with the credentials of a profile.

    Attributes:
        bucket: the one that platform.yaml names; None when it names none.
        region: of new buckets, and of the named one; empty means the root's.
        prefix: begins the name of a new bucket.
    """

    profile: str | None
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
        return "aws: {{state_bucket: {bucket}, state_region: {region}}}"

    def configured(self, region: str) -> Settings | None:
        """See `StateService.configured`."""
        return {"bucket": self.bucket, "region": self.region or region} if self.bucket else None

    def name_store(self, name: str, region: str) -> Settings:
        """See `StateService.name_store`. Names are taken by anybody in the world: ours have the account's hash."""
        place = self.region or region
        if not name:
            with explained("the account"):
                account = open_client("sts", profile=self.profile, region=place).get_caller_identity()["Account"]
            name = f"{self.prefix}-tfstate-{hashlib.sha256(f'{account}/{place}'.encode()).hexdigest()[:12]}"
        return {"bucket": name, "region": place}

    def open_store(self, settings: Settings, region: str) -> StateStore:  # noqa: ARG002 - the settings name it
        """See `StateService.open_store`."""
        client = open_client("s3", profile=self.profile, region=settings["region"])
        return S3Store(settings["bucket"], settings["region"], client, self.tags)

    def open_backend(self, settings: Settings, arguments: Settings) -> StateBackend:
        """See `StateService.open_backend`."""
        client = open_client("s3", profile=self.profile, region=settings["region"])
        return S3Backend(settings["bucket"], arguments["key"], settings["region"], client)


def _get(client: Any, **which: str) -> Blob | None:
    from botocore.exceptions import ClientError

    try:
        found = client.get_object(**which)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    version = found.get("VersionId", "")
    return Blob(found["Body"].read(), "" if version == "null" else version, found["LastModified"].timestamp())

"""The bucket on Google Cloud that states lie in: made, mended, listed and removed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.clouds.terraform.backend import Settings
from platform_cli.errors import PreflightError, RefusedError, ToolError

KIND = "gcs"
_OLD_DAYS = 90
_NEWEST_KEPT = 20
_LOGIN = "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"


@dataclass(frozen=True, slots=True)
class GcsStore:
    """A bucket of states. `tags` become its labels. Google's API takes TLS only and encrypts by itself."""

    bucket: str
    region: str
    client: Any = field(repr=False)
    tags: Settings = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """See `StateStore.kind`."""
        return KIND

    @property
    def place(self) -> str:
        """See `StateStore.place`."""
        return f"gs://{self.bucket}"

    @property
    def settings(self) -> Settings:
        """See `StateStore.settings`."""
        return {"bucket": self.bucket}

    def ensure(self) -> tuple[str, ...]:
        """See `StateStore.ensure`."""
        from google.api_core.exceptions import Conflict, Forbidden

        with explained(self.place):
            try:
                bucket = self.client.lookup_bucket(self.bucket)
                if bucket is not None:
                    changes = _mend(bucket, self._labels)
                    if changes:
                        bucket.patch()
                    return changes
                bucket = self.client.bucket(self.bucket)
                changes = _mend(bucket, self._labels)
                self.client.create_bucket(bucket, location=self.region)
            except (Conflict, Forbidden) as error:
                raise RefusedError(
                    f"{self.place} belongs to somebody else, or you may not see it",
                    hint="choose another name with --store",
                ) from error
        return (f"bucket {self.bucket} in {self.region}", *changes)

    def list_states(self) -> Mapping[str, bytes]:
        """See `StateStore.list_states`."""
        with explained(self.place):
            found = [blob for blob in self.client.list_blobs(self.bucket) if blob.name.endswith(".tfstate")]
            return {blob.name: blob.download_as_bytes() for blob in found}

    def remove(self) -> None:
        """See `StateStore.remove`."""
        with explained(self.place):
            for blob in list(self.client.list_blobs(self.bucket, versions=True)):
                self.client.bucket(self.bucket).blob(blob.name, generation=blob.generation).delete()
            self.client.bucket(self.bucket).delete()

    @property
    def _labels(self) -> dict[str, str]:
        """Tags within the letters that labels may have."""
        return {_label(name): _label(value) for name, value in sorted(self.tags.items())}


def open_client(project: str | None) -> Any:
    """A client of Google's SDK.

    Raises:
        PreflightError: the SDK is not installed, or there are no credentials.
    """
    try:
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud.storage import Client
    except ImportError as error:
        raise PreflightError("google-cloud-storage is not installed", hint="pip install 'mlops[gcp]'") from error
    try:
        return Client(project=project) if project else Client()
    except (DefaultCredentialsError, OSError) as error:
        raise PreflightError(f"Google Cloud: {error}", hint=_LOGIN) from error


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Tell Google's errors as ours.

    Raises:
        FileExistsError: what was to be made only if absent is there.
        PreflightError: there is no such bucket, or the credentials are not valid.
        ToolError: Google refused or could not be reached.
    """
    from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except PreconditionFailed as error:
        raise FileExistsError(place) from error
    except NotFound as error:
        raise PreflightError(f"{place}: {error.message}", hint="mlops state bootstrap makes it") from error
    except GoogleAuthError as error:
        raise PreflightError(f"{place}: {error}", hint=_LOGIN) from error
    except (GoogleAPIError, RequestException) as error:
        raise ToolError(f"{place}: Google says {error}", hint="mlops doctor checks the credentials") from error


def _mend(bucket: Any, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Set what is not as it should be; nothing is sent."""
    rules = [
        {
            "action": {"type": "Delete"},
            "condition": {"daysSinceNoncurrentTime": _OLD_DAYS, "numNewerVersions": _NEWEST_KEPT},
        },
        {
            "action": {"type": "Delete"},
            "condition": {"daysSinceNoncurrentTime": 1, "matchesPrefix": ["mlops/heartbeat/"]},
        },
    ]
    changes, access = [], bucket.iam_configuration
    if not access.uniform_bucket_level_access_enabled or access.public_access_prevention != "enforced":
        access.uniform_bucket_level_access_enabled = True
        access.public_access_prevention = "enforced"
        changes.append("public access blocked")
    if not bucket.versioning_enabled:
        bucket.versioning_enabled = True
        changes.append("versions kept")
    if [dict(rule) for rule in bucket.lifecycle_rules] != rules:
        bucket.lifecycle_rules = rules
        changes.append("old versions end")
    if bucket.labels != dict(labels):
        bucket.labels = dict(labels)
        changes.append("labels")
    return tuple(changes)


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:63]

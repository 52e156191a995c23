"""The bucket that states lie in: made, mended, listed and removed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from platform_cli.clouds.terraform.backend import Settings
from platform_cli.errors import PreflightError, RefusedError, ToolError

KIND = "s3"
ABSENT = ("404", "NoSuchKey", "NoSuchVersion", "NotFound")
_NO_BUCKET = "NoSuchBucket"
_UNSET = (
    "NoSuchLifecycleConfiguration",
    "NoSuchBucketPolicy",
    "NoSuchTagSet",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
)
_TAKEN = ("412", "PreconditionFailed", "ConditionalRequestConflict")
_NO_REGION_NAMED = "us-east-1"
_OLD_DAYS = 90
_NEWEST_KEPT = 20


@dataclass(frozen=True, slots=True)
class S3Store:
    """A bucket of states. `tags` are put on it when it is made or they changed."""

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
        return f"s3://{self.bucket}"

    @property
    def settings(self) -> Settings:
        """See `StateStore.settings`."""
        return {"bucket": self.bucket, "region": self.region}

    def ensure(self) -> tuple[str, ...]:
        """See `StateStore.ensure`."""
        with explained(self.place):
            made = [] if self._exists() else [self._create()]
            for what, mend in self._list_gaps():
                mend()
                made.append(what)
        return tuple(made)

    def list_states(self) -> Mapping[str, bytes]:
        """See `StateStore.list_states`."""
        with explained(self.place):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
            states = [key for key in keys if key.endswith(".tfstate")]
            return {key: self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in states}

    def remove(self) -> None:
        """See `StateStore.remove`."""
        with explained(self.place):
            for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
                for item in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                    self.client.delete_object(Bucket=self.bucket, Key=item["Key"], VersionId=item["VersionId"])
            self.client.delete_bucket(Bucket=self.bucket)

    def _exists(self) -> bool:
        from botocore.exceptions import ClientError

        try:
            self.client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("403", "AccessDenied"):
                raise RefusedError(
                    f"{self.place} belongs to somebody else, or you may not see it",
                    hint="choose another name with --store",
                ) from error
            if code not in (*ABSENT, _NO_BUCKET):
                raise
            return False
        return True

    def _create(self) -> str:
        """Amazon's oldest region must not be named."""
        place = {} if self.region == _NO_REGION_NAMED else {"LocationConstraint": self.region}
        self.client.create_bucket(
            Bucket=self.bucket,
            ObjectOwnership="BucketOwnerEnforced",
            **({"CreateBucketConfiguration": place} if place else {}),
        )
        return f"bucket {self.bucket} in {self.region}"

    def _list_gaps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """What is not as it should be, and what mends it."""
        for what, setting, name, value in _wanted(self.bucket, self.tags):
            if not _holds(_read_setting(self.client, self.bucket, setting, name), value):
                yield what, partial(_put_setting, self.client, self.bucket, setting, name, value)


def _wanted(bucket: str, tags: Settings) -> tuple[tuple[str, str, str, Any], ...]:
    """What, the name of the setting in the API, of its argument, and its value."""
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    cipher = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return (
        ("public access blocked", "public_access_block", "PublicAccessBlockConfiguration", dict.fromkeys(closed, True)),
        ("versions kept", "bucket_versioning", "VersioningConfiguration", {"Status": "Enabled"}),
        ("encrypted", "bucket_encryption", "ServerSideEncryptionConfiguration", {"Rules": [cipher]}),
        ("TLS only", "bucket_policy", "Policy", {"Version": "2012-10-17", "Statement": [statement]}),
        ("old versions end", "bucket_lifecycle_configuration", "LifecycleConfiguration", {"Rules": _lifecycle()}),
        (
            "tags",
            "bucket_tagging",
            "Tagging",
            {"TagSet": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]},
        ),
    )


def _lifecycle() -> list[dict[str, Any]]:
    old = {"NoncurrentDays": _OLD_DAYS, "NewerNoncurrentVersions": _NEWEST_KEPT}
    return [
        {
            "ID": "old-versions",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": old,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
        {
            "ID": "old-heartbeats",
            "Status": "Enabled",
            "Filter": {"Prefix": "mlops/heartbeat/"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
    ]


def _read_setting(client: Any, bucket: str, setting: str, name: str) -> Any:
    """A setting in the form in which it is put; None when there is none."""
    from botocore.exceptions import ClientError

    try:
        found = getattr(client, f"get_{setting}")(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in _UNSET:
            return None
        raise
    found = {key: value for key, value in found.items() if key not in ("ResponseMetadata", "MFADelete")}
    if name == "Policy":
        return json.loads(found[name])
    if name == "Tagging":
        return {"TagSet": sorted(found["TagSet"], key=lambda tag: str(tag["Key"]))}
    if name == "LifecycleConfiguration":
        return {"Rules": found["Rules"]}
    return found.get(name, found)


def _holds(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is in what was found; AWS fills in more. A lifecycle rule is known by its name."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if "ID" in wanted:
            return bool(found.get("ID") == wanted["ID"] and found.get("Status") == wanted["Status"])
        return all(_holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(_holds, found, wanted))
    return bool(found == wanted)


def _put_setting(client: Any, bucket: str, setting: str, name: str, value: Any) -> None:
    given = json.dumps(value) if name == "Policy" else value
    getattr(client, f"put_{setting}")(Bucket=bucket, **{name: given})


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Tell AWS' errors as ours.

    Raises:
        FileExistsError: what was to be made only if absent is there.
        PreflightError: there is no such bucket.
        ToolError: AWS refused or could not be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _TAKEN:
            raise FileExistsError(place) from error
        if code == _NO_BUCKET:
            raise PreflightError(f"{place}: there is no such bucket", hint="mlops state bootstrap makes it") from error
        raise ToolError(f"{place}: AWS says {error}", hint="mlops doctor checks the credentials") from error
    except BotoCoreError as error:
        raise ToolError(f"{place}: {error}", hint="mlops doctor checks the credentials") from error

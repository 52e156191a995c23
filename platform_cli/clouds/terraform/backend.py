"""Where Terraform's state lies: one protocol over a file, S3, Azure's blobs and Google's objects.

Each speaks Terraform's own conventions of that backend (keys, lock objects, lock texts), so that Terraform and we see
the same state and the same lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

Settings = Mapping[str, str]
"""The arguments of Terraform's backend block that name the store, such as `bucket` and `region`."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A content with its version's id (empty where there are none) and when it was written, in Unix seconds."""

    content: bytes
    version: str
    written: float


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the state that is kept. `written` is Unix seconds; `current` is the one that holds."""

    id: str
    written: float
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Terraform's lock as its holder wrote it.

    Attributes:
        who: `user@host`.
        created: Unix seconds; 0 when unknown.
    """

    id: str
    operation: str = ""
    who: str = ""
    created: float = 0.0
    version: str = ""

    @property
    def host(self) -> str:
        """The machine of the holder."""
        return self.who.rpartition("@")[2]

    def to_text(self, path: str) -> bytes:
        """As Terraform writes it. `path` is the state's."""
        at = datetime.fromtimestamp(self.created, UTC).isoformat().replace("+00:00", "Z")
        fields = {"ID": self.id, "Operation": self.operation, "Info": "", "Who": self.who}
        return json.dumps({**fields, "Version": self.version, "Created": at, "Path": path}).encode()


def parse_lock(text: bytes) -> Lock:
    """A lock from Terraform's text; what cannot be read is a lock all the same, of somebody unknown."""
    try:
        raw: dict[str, Any] = json.loads(text)
        return Lock(
            id=str(raw.get("ID", "")),
            operation=str(raw.get("Operation", "")),
            who=str(raw.get("Who", "")),
            created=_parse_time(str(raw.get("Created", ""))),
            version=str(raw.get("Version", "")),
        )
    except (ValueError, AttributeError):
        return Lock(id="")


def _parse_time(text: str) -> float:
    """Go writes nanoseconds, of which Python reads microseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    if not whole:
        return 0.0
    return datetime.fromisoformat(f"{whole}.{(fraction + '000000')[:6]}+00:00").timestamp()


class StateBackend(Protocol):
    """The state of one target. Nothing is read before a method is called.

    Every method raises PreflightError when credentials or libraries are missing or the store does not exist, and
    ToolError when the store refuses or cannot be reached.
    """

    @property
    def kind(self) -> str:
        """Terraform's name of the backend: `local`, `s3`, `azurerm`, `gcs`."""

    @property
    def place(self) -> str:
        """Where the state lies, as people write it, such as `s3://bucket/aws/dev/terraform.tfstate`."""

    @property
    def settings(self) -> Settings:
        """The arguments of the backend block that `state.tfbackend` does not give."""

    def read(self, version: str = "") -> Blob | None:
        """The state's content, or an older version's; None when there is none."""

    def write(self, content: bytes) -> None:
        """Replace the state; what was there stays as a version. Hold the lock while you do."""

    def list_versions(self) -> tuple[Version, ...]:
        """Every version that is kept, the newest first."""

    def read_lock(self) -> Lock | None:
        """Who holds Terraform's lock; None when nobody."""

    def hold_lock(self, lock: Lock) -> AbstractContextManager[None]:
        """Hold Terraform's lock while the block runs.

        Raises:
            StateError: somebody else holds it.
        """

    def break_lock(self, lock: Lock) -> None:
        """Take the lock away from this holder; nothing happens when another one has it by now."""

    def read_note(self, name: str) -> bytes | None:
        """One of our own notes beside the state, such as `heartbeat`; None when there is none."""

    def write_note(self, name: str, content: bytes) -> None:
        """Write a note beside the state."""

    def remove_note(self, name: str) -> None:
        """Remove a note; one that is not there is fine."""


class StateStore(Protocol):
    """What holds the states of a project: a bucket or a container. Errors are as for `StateBackend`."""

    @property
    def kind(self) -> str:
        """Terraform's name of the backend."""

    @property
    def place(self) -> str:
        """Such as `s3://bucket`."""

    @property
    def settings(self) -> Settings:
        """The arguments of the backend block that name it."""

    def ensure(self) -> tuple[str, ...]:
        """Make it, or mend what is not as it should be; returns one line for each change, none when all is well.

        Raises:
            RefusedError: the name belongs to somebody else.
        """

    def list_states(self) -> Mapping[str, bytes]:
        """The states in it, current ones only: content by key."""

    def remove(self) -> None:
        """Remove it with every version in it."""


class StateService(Protocol):
    """How one cloud keeps states."""

    @property
    def kind(self) -> str:
        """Terraform's name of the backend."""

    @property
    def hint(self) -> str:
        """What to write into platform.yaml so that it names a store, with `{}` for settings by name."""

    def configured(self, region: str) -> Settings | None:
        """The store that platform.yaml names; None when it names none. `region` is the root's own."""

    def name_store(self, name: str, region: str) -> Settings:
        """A store of this name, or of one made from the account when it is empty. `region` is the root's own."""

    def open_store(self, settings: Settings, region: str) -> StateStore:
        """The store; it need not exist. `region` is where it is made when platform.yaml names none."""

    def open_backend(self, settings: Settings, arguments: Settings) -> StateBackend:
        """One target's state in the store; `arguments` are those of `state.tfbackend`."""

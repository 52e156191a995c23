"""Which store a target's state lies in, as `mlops state bootstrap` chose it; platform.yaml, where it says, wins."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from platform_cli.clouds.terraform.backend import Settings
from platform_cli.errors import StateError


@dataclass(frozen=True, slots=True)
class Choice:
    """A store: Terraform's name of the backend and the arguments that name the store."""

    kind: str
    settings: Settings


def read_choice(path: Path) -> Choice | None:
    """The recorded choice; None when none was made.

    Raises:
        StateError: the file holds something else.
    """
    try:
        return Choice(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise StateError(
            f"{path}: this should say where the state lies: {error}", hint="remove it, then mlops state bootstrap"
        ) from error


def write_choice(path: Path, choice: Choice) -> None:
    """Record a choice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(asdict(choice), indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)

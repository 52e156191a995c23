"""Where the platform runs and for whom: a cloud and an environment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CloudName(StrEnum):
    """Every place the platform can run."""

    EMBEDDED = "embedded"
    LOCAL = "local"
    EXISTING = "existing"
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


class Env(StrEnum):
    """The stages a model goes through on its way to users."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


@dataclass(frozen=True, slots=True)
class Target:
    """One platform: a cloud and an environment."""

    cloud: CloudName
    env: Env

    @property
    def name(self) -> str:
        """The name in paths and confirmations, such as `embedded-dev`."""
        return f"{self.cloud}-{self.env}"

    def __str__(self) -> str:
        return f"{self.cloud}/{self.env}"

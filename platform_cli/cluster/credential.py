"""Tokens for the clusters that clouds make, from each SDK's own credentials; aws, az and gcloud are not needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from platform_cli.cluster.access import EXEC_API
from platform_cli.errors import PreflightError, UsageError
from platform_cli.target import CloudName


@dataclass(frozen=True, slots=True)
class Token:
    """What the API takes as a bearer token, and until when to use it."""

    value: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What a token is for.

    Attributes:
        cluster: name of the cluster, where tokens hold for one only.
        region: of the cluster; empty means the SDK's own.
        profile: profile of ~/.aws; empty means the SDK's own chain.
    """

    cluster: str = ""
    region: str = ""
    profile: str = ""


def _aws(wish: Wish) -> Token:
    from platform_cli.cluster.credential_aws import make_token

    return make_token(wish)


def _azure(_wish: Wish) -> Token:
    from platform_cli.cluster.credential_azure import make_token

    return make_token()


def _gcp(_wish: Wish) -> Token:
    from platform_cli.cluster.credential_gcp import make_token

    return make_token()


_MAKERS: dict[CloudName, Callable[[Wish], Token]] = {
    CloudName.AWS: _aws,
    CloudName.AZURE: _azure,
    CloudName.GCP: _gcp,
}
# Elsewhere a token holds for every cluster that the user may enter.
_NAMES_CLUSTER = frozenset({CloudName.AWS})


def is_complete(cloud: CloudName, wish: Wish) -> bool:
    """Whether the wish says all that a token of this cloud needs."""
    return cloud not in _NAMES_CLUSTER or bool(wish.cluster)


def make_token(cloud: CloudName, wish: Wish) -> Token:
    """A fresh token.

    Raises:
        UsageError: clusters of that cloud take no such tokens.
        PreflightError: there are no credentials, or they have ended, or the cloud's SDK is not installed.
    """
    maker = _MAKERS.get(cloud)
    if maker is None:
        known = ", ".join(_MAKERS)
        raise UsageError(f"clusters of {cloud} take no cloud's tokens", hint=f"--cloud is one of {known}")
    try:
        return maker(wish)
    except ModuleNotFoundError as error:
        raise PreflightError(f"{error.name} is not installed", hint=f"pip install 'mlops[{cloud}]'") from error


def to_exec_credential(token: Token) -> dict[str, Any]:
    """The token as kubectl and every client library expect it from a credential plugin."""
    expires = token.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {"token": token.value, "expirationTimestamp": expires}
    return {"apiVersion": EXEC_API, "kind": "ExecCredential", "spec": {"interactive": False}, "status": status}

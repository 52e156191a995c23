"""EKS: the token is a signed question to STS, "who am I?", which the cluster asks in our name.

The cluster's name is a signed header, so that a token for one cluster opens no other.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from platform_cli.cluster.credential import Token, Wish
from platform_cli.errors import PreflightError

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
_LIFETIME = timedelta(minutes=15)
# The cluster's clock, and the way there, take their part of the lifetime.
_MARGIN = timedelta(minutes=1)


def make_token(wish: Wish) -> Token:
    """A token for one cluster, signed with the credentials that AWS' own chain finds.

    Raises:
        PreflightError: there are no credentials or no region, or they have ended.
    """
    from botocore.exceptions import BotoCoreError

    made = datetime.now(UTC)
    try:
        url = _sign(wish)
    except BotoCoreError as error:
        hint = "log in (aws sso login, AWS_PROFILE, or keys in the environment), or name --region"
        raise PreflightError(f"no token for the EKS cluster {wish.cluster}: {error}", hint=hint) from error
    value = PREFIX + base64.urlsafe_b64encode(url.encode()).decode("ascii").rstrip("=")
    return Token(value, made + _LIFETIME - _MARGIN)


def _sign(wish: Wish) -> str:
    from botocore.session import Session

    session = Session(profile=wish.profile or None)
    client = session.create_client("sts", region_name=wish.region or None)

    def name_cluster(request: Any, **_: Any) -> None:
        request.headers[CLUSTER_HEADER] = wish.cluster

    client.meta.events.register("before-sign.sts.GetCallerIdentity", name_cluster)
    seconds = int(_LIFETIME.total_seconds())
    return str(client.generate_presigned_url("get_caller_identity", ExpiresIn=seconds, HttpMethod="GET"))

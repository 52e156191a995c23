"""S3: what moto answers otherwise than AWS."""

from __future__ import annotations

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends


class ShownPolicy(bytes):
    """A bucket's policy that is kept and shown but refuses nobody.

    moto knows no conditions, so that a policy which denies what comes without TLS would deny everything.
    """

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - the signature is bytes'
        """What moto evaluates."""
        return '{"Statement": []}'


def after_policy(bucket: str) -> None:
    """Let a policy that was just put be shown only."""
    known = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
    if known is not None and known.policy:
        known.policy = ShownPolicy(known.policy)

"""Whose credentials AWS' own chain finds."""

from __future__ import annotations

from typing import Any

from platform_cli.errors import PreflightError

_FALLBACK_REGION = "us-east-1"


def open_client(service: str, *, profile: str | None, region: str = "") -> Any:
    """A client of AWS' SDK.

    Raises:
        PreflightError: the SDK is not installed, or the profile or its credentials do not exist.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise PreflightError("boto3 is not installed", hint="pip install 'mlops[aws]'") from error
    try:
        session = boto3.Session(profile_name=profile)
        return session.client(service, region_name=region or session.region_name or _FALLBACK_REGION)
    except BotoCoreError as error:
        raise PreflightError(f"AWS: {error}", hint="aws configure list-profiles shows which there are") from error

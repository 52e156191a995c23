"""Whose credentials AWS' own chain finds."""

from __future__ import annotations

from typing import Any

from platform_cli.doctor import Finding
from platform_cli.errors import PreflightError

FALLBACK_REGION = "us-east-1"


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
        return session.client(service, region_name=region or session.region_name or FALLBACK_REGION)
    except BotoCoreError as error:
        raise PreflightError(f"AWS: {error}", hint="aws configure list-profiles shows which there are") from error


def check_credentials(profile: str | None) -> Finding:
    """Whether there are credentials that AWS accepts, and whose they are."""
    fix = "log in (aws sso login, or set AWS_PROFILE or aws.credentials_profile), then try again"
    try:
        client = open_client("sts", profile=profile)
    except PreflightError as error:
        return Finding(ok=False, found=error.message, fix=error.hint)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = client.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return Finding(ok=False, found=f"AWS: {error}", fix=fix)
    return Finding(ok=True, found=f"{found['Arn']} in account {found['Account']}")

"""AKS: a token of Entra ID for the application that every AKS cluster trusts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from platform_cli.cluster.credential import Token
from platform_cli.errors import PreflightError

AKS_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"


def make_token() -> Token:
    """A token from whatever Azure's own chain finds: environment, workload or managed identity, a login.

    Raises:
        PreflightError: it finds nothing, or what it finds has ended.
    """
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential

    # The chain tells each link that has no credentials as a warning; when all fail, the error lists them.
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    try:
        found = DefaultAzureCredential().get_token(f"{AKS_APPLICATION}/.default")
    except ClientAuthenticationError as error:
        lines = [line.strip() for line in str(error.message).splitlines() if line.strip()]
        raise PreflightError(
            f"no token for AKS: {lines[0]}",
            hint="log in (az login), or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
            details=tuple(lines[1:]),
        ) from error
    return Token(found.token, datetime.fromtimestamp(found.expires_on, UTC))

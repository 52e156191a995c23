"""GKE: an access token of the account that Google's own chain finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from platform_cli.cluster.credential import Token
from platform_cli.errors import PreflightError

# The second lets the cluster see the account's address, by which RBAC names people.
SCOPES = ("https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/userinfo.email")
_ASSUMED = timedelta(minutes=5)


def make_token() -> Token:
    """A token from GOOGLE_APPLICATION_CREDENTIALS, a login of gcloud's, or the machine's own account.

    Raises:
        PreflightError: there is none, or it has ended.
    """
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
        credentials.refresh(Request())
    except GoogleAuthError as error:
        hint = "log in (gcloud auth application-default login), or set GOOGLE_APPLICATION_CREDENTIALS"
        raise PreflightError(f"no token for GKE: {error.args[0]}", hint=hint) from error
    # Google's library gives UTC without saying so.
    expires = credentials.expiry.replace(tzinfo=UTC) if credentials.expiry else datetime.now(UTC) + _ASSUMED
    return Token(str(credentials.token), expires)

"""Whether an error of `WorkflowApi` is a word for good, or silence that may end."""

from __future__ import annotations

from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes_error import status_of

_REFUSED = (401, 403)


def is_refusal(error: MlopsError) -> bool:
    """Whether we are not let: asking again changes nothing before somebody has given us a new token or a right."""
    return status_of(error) in _REFUSED

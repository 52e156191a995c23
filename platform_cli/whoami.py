"""Who runs this command, as others shall know them."""

from __future__ import annotations

import getpass
import os
import socket


def this_user() -> str:
    """As Terraform names who holds a lock: `user@host`; a user whom the machine knows no name of is `uid-1000`."""
    # A container may run with any user id, without an entry for it: KeyError, since Python 3.13 OSError.
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid-{os.getuid()}"
    return f"{name}@{socket.gethostname()}"

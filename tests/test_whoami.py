"""Who runs a command, with and without a name on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from platform_cli.whoami import this_user

NOBODY = 54321
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import os, pwd
from platform_cli.whoami import this_user
os.setuid(int(sys.argv[2]))
print(this_user())
"""


def test_a_user_is_known_by_name_and_machine() -> None:
    user, _, host = this_user().partition("@")
    assert user
    assert host == socket.gethostname()


def test_a_user_without_a_name_is_known_by_number() -> None:
    """As in a pod that runs with any user id."""
    if os.getuid() != 0:
        pytest.skip("only root can become a user whom the machine does not know")
    argv = [sys.executable, "-c", PROGRAM, str(Path(__file__).resolve().parents[1]), str(NOBODY)]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == f"uid-{NOBODY}@{socket.gethostname()}\n", done.stderr

"""What all tests share: where the flat step modules are, and the fixtures of each room."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "pipelines" / "training" / "src"))
sys.path.insert(0, str(ROOT / "pipelines" / "serving" / "src"))

# A script that runs us in its background lets us ignore Ctrl-C, and with us every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What others import comes before them: pytest rewrites a module's assertions only at its first import.
pytest_plugins = [
    "chart_fixtures",
    "pipeline_fixtures",
    "serving_fixtures",
    "terraform_fixtures",
    "cluster_fixtures",
    "golden_fixtures",
    "kserve_fixtures",
    "platform_fixtures",
    "state_fixtures",
]

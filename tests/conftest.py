"""What all tests share: where the flat step modules are, and the fixtures of each room."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "pipelines" / "training" / "src"))

pytest_plugins = [
    "chart_fixtures",
    "cluster_fixtures",
    "golden_fixtures",
    "kserve_fixtures",
    "pipeline_fixtures",
    "platform_fixtures",
    "serving_fixtures",
    "state_fixtures",
    "terraform_fixtures",
]

"""`python -m benchmarks.rendering CLOUD CHARTS`: render every chart of a target as a plan does."""

from __future__ import annotations

import sys
from pathlib import Path

from chart_fixtures import OVERRIDES
from target_samples import make_config, make_outputs, select

from platform_cli.cluster.discovery import Capabilities
from platform_cli.cluster.observation import in_parallel, render
from platform_cli.cluster.package import open_packages
from platform_cli.config import Charts
from platform_cli.tools.helm import open_renderer


def main(cloud: str, charts: Path) -> int:
    """Render with the values of the tests' sample of that cloud; every optional component is among them."""
    here = [item for item in select(cloud) if item.is_ours or (charts / item.chart).is_dir()]
    config = make_config(cloud, charts=Charts(source="folder", path=str(charts)), components={"values": OVERRIDES})
    packages = open_packages(here, config, make_outputs(cloud))
    renderer, served = open_renderer(), Capabilities("v1.35.4", {})
    made = in_parallel(lambda package: render(renderer, served, package), packages)
    print(f"{len(packages)} charts, {sum(len(each.objects) for each in made)} objects")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))

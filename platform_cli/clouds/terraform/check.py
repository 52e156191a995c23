"""What must be true of this machine and of the configuration before Terraform plans."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from platform_cli import doctor
from platform_cli.clouds.terraform.state_lock import describe
from platform_cli.clouds.terraform.work_copy import WorkCopy
from platform_cli.doctor import Check, Finding
from platform_cli.errors import MlopsError
from platform_cli.layout import TargetHome
from platform_cli.render.line import count_of

if TYPE_CHECKING:
    from platform_cli.clouds.terraform.state_place import StatePlace
    from platform_cli.config import Config
    from platform_cli.tools.terraform import Terraform

_OLDEST = (1, 11)
_PRODUCT = re.compile(r"[a-z][a-z0-9]{1,15}")
_SMALLEST_PREFIX, _LARGEST_PREFIX = 16, 20


def list_checks(
    config: Config, home: TargetHome, copy: WorkCopy, terraform: Callable[[], Terraform]
) -> tuple[Check, ...]:
    """Every check that needs no cloud, the cheapest first."""
    return (
        Check("python", doctor.check_python),
        Check("folder", partial(doctor.check_folder, home.root)),
        Check("disk", partial(doctor.check_disk, home.root)),
        Check("root", partial(check_root, copy)),
        Check("name", partial(check_name, config.name)),
        Check("network", partial(check_network, config)),
        Check("terraform", partial(check_terraform, terraform)),
    )


def hold_state(state: StatePlace) -> Check:
    """The check of the state. A deploy leaves it out: Terraform asks the same soon, and waits."""
    return Check("state", partial(check_state, state), asks=True, is_settled=lambda: True)


def check_state(state: StatePlace) -> Finding:
    """Whether the state can be read and nobody holds its lock."""
    try:
        record, holding = state.target.read(), state.target.find_holding()
    except MlopsError as error:
        return Finding(ok=False, found=error.message, fix=error.hint or "mlops state show")
    if holding is not None:
        fix = "wait until it ends; mlops state unlock takes the lock from a command that is gone"
        return Finding(ok=False, found=f"{describe(holding.lock)} holds the lock: {holding.because}", fix=fix)
    held = count_of(len(record.resources), "resource") if record else "nothing yet"
    return Finding(ok=True, found=f"{state.backend.place}: {held}, not locked")


def hold_access(read: Callable[[], Mapping[str, Any]], *, installs: bool, is_there: Callable[[], bool]) -> Check:
    """The check of the way to the API. A deploy leaves it out once the cluster `is_there`: then it is asked itself."""
    return Check("access", partial(check_access, read, installs=installs), asks=True, is_settled=is_there)


def check_access(read: Callable[[], Mapping[str, Any]], *, installs: bool) -> Finding:
    """Whether somebody outside the cluster's network may reach its API, through which components are installed.

    `read` gives the root's variable `cluster_access`.
    """
    access = read()
    if access["public"]:
        return Finding(ok=True, found=f"the cluster's API answers to {', '.join(sorted(access['cidrs']))}")
    if not installs:
        return Finding(ok=True, found="the cluster's API stays private; no component is installed through it")
    found = "the cluster's API stays private: components can be installed from inside its network only"
    fix = "deploy from there (a VPN, a runner), or set infrastructure.cluster_cidrs to your address: [203.0.113.7/32]"
    return Finding(ok=False, found=found, fix=fix, advises=True)


def check_root(copy: WorkCopy) -> Finding:
    """Whether there is a Terraform root for the target."""
    try:
        copy.require_source()
    except MlopsError as error:
        return Finding(ok=False, found=error.message, fix=error.hint)
    return Finding(ok=True, found=f"{copy.source} has {copy.name}")


def check_name(name: str) -> Finding:
    """Whether the project's name can begin every name in a cloud; the shortest limit decides."""
    fix = "set `name` in platform.yaml to 2 to 16 lower-case letters and digits that begin with a letter"
    return Finding(bool(_PRODUCT.fullmatch(name)), f"names begin with {name}", fix)


def check_network(config: Config) -> Finding:
    """Whether the network is private and of a size that clusters of every cloud fit in."""
    cidr = config.infrastructure.cidr
    if cidr is None:
        return Finding(ok=True, found="the environment's own address range")
    ok = cidr.is_private and _SMALLEST_PREFIX <= cidr.prefixlen <= _LARGEST_PREFIX
    return Finding(ok, f"{cidr}", "set infrastructure.cidr to a private range between /16 and /20")


def check_terraform(open_terraform: Callable[[], Terraform]) -> Finding:
    """Whether there is a Terraform, and a new enough one."""
    try:
        terraform = open_terraform()
    except MlopsError as error:
        return Finding(ok=False, found=error.message, fix=error.hint)
    version = terraform.version()
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    found = f"Terraform {version or 'of unknown version'}, {terraform.executable}"
    return Finding(numbers >= _OLDEST, found, "install Terraform 1.11 or newer")

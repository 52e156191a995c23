"""Private mount namespaces: what a step's process does to itself before it runs (Linux only).

A step must see its own `/tmp`, artifact folders and volumes at the paths its template names, while its neighbours see
theirs. Only the kernel can do that without rewriting the step; where it refuses, `sandbox` rewrites paths instead.
Imported by every step process: keep it small.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217, "riscv64": 41}

Bind = tuple[str, str, bool]
"""Host path, container path, and whether it is read-only."""


def enter(binds: Sequence[Bind], new_root: str = "") -> None:
    """Move this process into a mount namespace of its own where each bind's container path shows its host path.

    Sources are opened before the first mount, since a bind over `/tmp` may hide a source that lives below it.

    Args:
        binds: applied in order, so an outer path comes before what is inside it.
        new_root: a host folder to make `/`; empty keeps the host's.

    Raises:
        OSError: the kernel refused, with the path in question.
    """
    _unshare()
    _mount("none", "/", _MS_REC | _MS_PRIVATE)
    sources = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source, _, _ in binds]
    if new_root:
        _mount(new_root, new_root, _MS_BIND)
    for (_, target, read_only), source in zip(binds, sources, strict=True):
        _mount(f"/proc/self/fd/{source}", new_root + target, _MS_BIND | _MS_REC)
        if read_only:
            _make_read_only(new_root + target)
        os.close(source)
    if new_root:
        _pivot(new_root)


def probe() -> bool:
    """Whether this machine lets us have private mount namespaces; tried in a child, which then ends."""
    if sys.platform != "linux" or os.uname().machine not in _PIVOT_ROOT:
        return False
    child = os.fork()
    if child == 0:
        try:
            enter([("/", "/mnt" if Path("/mnt").is_dir() else "/tmp", True)])  # noqa: S108 - any folder serves
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for `signal_number` when our parent ends; 0 takes that back. Does nothing where it is unknown."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def _unshare() -> None:
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    _check(_libc().unshare(flags), "/")
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _make_read_only(target: str) -> None:
    # A user namespace may not drop the flags that the mount came with.
    kept = os.statvfs(target).f_flag & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("none", target, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept)


def _pivot(new_root: str) -> None:
    os.chdir(new_root)
    number = _PIVOT_ROOT[os.uname().machine]
    _check(_libc().syscall(number, b".", b"."), new_root)
    _check(_libc().umount2(b".", _MNT_DETACH), new_root)
    os.chdir("/")


def _mount(source: str, target: str, flags: int) -> None:
    result = _libc().mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None)
    _check(result, target)


def _check(result: int, path: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

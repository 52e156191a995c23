"""Folders, ConfigMaps and their removal: the part of the platform that is files."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from platform_cli.stage import digest_of

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_folders(paths: Iterable[Path]) -> None:
    """Have each folder, closed to other users."""
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(stat.S_IRWXU)


def is_private_folder(path: Path) -> bool:
    """Whether it is a folder that no other user may enter."""
    return path.is_dir() and not path.stat().st_mode & _OTHERS


def write_config_map(folder: Path, data: Mapping[str, str]) -> None:
    """Make the folder hold exactly these files. A reader sees the old or the new text of a file, never a part."""
    make_folders([folder])
    for key, text in data.items():
        fresh = folder / f".{key}.new"
        fresh.write_text(text, encoding="utf-8", newline="")
        fresh.replace(folder / key)
    for path in folder.iterdir():
        if path.name not in data:
            path.unlink()


def digest_config_maps(folder: Path) -> dict[str, str]:
    """The digest of the content of every ConfigMap below a folder, by name."""
    places = sorted(folder.iterdir()) if folder.is_dir() else []
    return {place.name: digest_of(_read_config_map(place)) for place in places if place.is_dir()}


def remove_tree(root: Path, *, keep: Iterable[Path]) -> int:
    """Remove everything below `root` but `keep`; the root too when nothing is kept.

    Returns:
        The number of entries directly below `root` that were removed.
    """
    doomed = [path for path in list_entries(root) if path not in set(keep)]
    for path in doomed:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, onerror=_unlock)
        else:
            path.unlink(missing_ok=True)
    return len(doomed)


def list_entries(root: Path) -> list[Path]:
    """What stands directly in a folder; nothing when there is no such folder."""
    return sorted(root.iterdir()) if root.is_dir() else []


def list_files(root: Path) -> Iterator[Path]:
    """Every file below a folder."""
    for folder, _, names in os.walk(root):
        yield from (Path(folder) / name for name in names)


def _read_config_map(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode("utf-8", "replace") for path in folder.iterdir() if path.is_file()}


def _unlock(_remove: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
    """A step may leave folders without permission to change them: take it and try again."""
    if isinstance(error[1], FileNotFoundError):
        return
    parent = Path(path).parent
    parent.chmod(stat.S_IRWXU)
    if Path(path).is_dir() and not Path(path).is_symlink():
        Path(path).chmod(stat.S_IRWXU)
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)

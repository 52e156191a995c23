"""Whether an earlier node did the very same work: same code, parameters, inputs and environment.

What a node depends on, its *ingredients*, is a flat mapping from names for people to digests, so that a difference can
be explained as well as detected.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from platform_cli.workflow.artifact import ArtifactStore
from platform_cli.workflow.database import Database
from platform_cli.workflow.job import Job, artifact_key
from platform_cli.workflow.node import NodeOutputs, Reuse

ANNOTATION = "mlops.dev/reuse"
_SHOWN = 40
_ORDER = ("parameter", "input artifact", "code", "environment variable", "template", "Python environment")


ReuseRow = tuple[str, str, float, str, str, bytes, bytes]
"""One row of the table `reuse`, in its order."""


class ReuseStore:
    """Finished work by what went into it."""

    def __init__(self, database: Database, artifacts: ArtifactStore) -> None:
        self._database = database
        self._artifacts = artifacts

    def find(self, run: str, template: str, ingredients: Mapping[str, str]) -> tuple[Reuse, NodeOutputs | None]:
        """Outputs of another run for `ingredients` if all of them still exist, and the reason either way.

        Within one run equal steps each run: a workflow that calls a template twice wants it done twice.
        """
        key = make_key(template, ingredients)
        rows = self._database.rows("SELECT outputs, run, node FROM reuse WHERE key = ? AND run != ?", key, run)
        if not rows:
            return Reuse(False, self._explain(template, ingredients), key), None
        outputs = msgspec.json.decode(_bytes(rows[0][0]), type=NodeOutputs)
        for artifact in outputs.artifacts:
            if not self._artifacts.is_intact(artifact_key(artifact)):
                return Reuse(False, f"outputs are gone: {artifact.name} of run {rows[0][1]}", key), None
        _, run_before, node = rows[0]
        return Reuse(True, f"nothing changed since run {run_before}", key, f"{run_before}/{node}"), outputs

    def row(self, run: str, node: str, template: str, ingredients: Mapping[str, str], outputs: NodeOutputs) -> ReuseRow:
        """What to write once the node has succeeded."""
        key, content = make_key(template, ingredients), json.dumps(dict(ingredients)).encode()
        return (key, template, time.time(), run, node, content, msgspec.json.encode(outputs))

    def _explain(self, template: str, ingredients: Mapping[str, str]) -> str:
        query = "SELECT ingredients FROM reuse WHERE template = ? ORDER BY made DESC LIMIT 1"
        rows = self._database.rows(query, template)
        if not rows:
            return "first run"
        return explain_difference(json.loads(_bytes(rows[0][0])), ingredients)


def make_key(template: str, ingredients: Mapping[str, str]) -> str:
    """A digest of everything that the outcome depends on."""
    return hashlib.sha256(json.dumps([template, dict(ingredients)], sort_keys=True).encode()).hexdigest()


def collect_ingredients(job: Job) -> dict[str, str]:
    """Everything that a job's outcome depends on, by names for people."""
    leaf = job.leaf
    found = {f"parameter {p.name}": p.value or "" for p in leaf.inputs.parameters}
    for artifact in leaf.inputs.artifacts:
        data = artifact.raw.data if artifact.raw is not None else artifact_key(artifact)
        found[f"input artifact {artifact.name}"] = _digest(data.encode())
    for mount in job.code:
        for path, digest in _folder_digests(mount.source):
            found[f"code {mount.path}/{path}"] = digest
    found |= {f"environment variable {name}": _digest(value.encode()) for name, value in job.env.items()}
    container = leaf.template.script or leaf.template.container
    program = msgspec.structs.replace(container, env=(), env_from=(), resources=None) if container else None
    work = {"program": program, "inputs": leaf.template.inputs, "outputs": leaf.template.outputs}
    found["template"] = _digest(msgspec.json.encode(work))
    found["Python environment"] = environment_fingerprint()
    return found


def explain_difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What is different, the most telling first: `parameter seed 1 → 2`, `code changed: train_model.py`."""
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    changed.sort(key=lambda name: next(index for index, kind in enumerate(_ORDER) if name.startswith(kind)))
    if any(not name.startswith("template") for name in changed):
        # The text of the template holds the parameters' values, so it differs whenever they do.
        changed = [name for name in changed if name != "template"]
    if not changed:
        return "first run"
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return _difference(changed[0], before, after) + more


def environment_fingerprint() -> str:
    """A digest of the interpreter and the installed distributions; cheap: only folder names and times are read."""
    folders = tuple(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))
    stamps = tuple((path, os.stat(path).st_mtime_ns) for path in folders if os.path.isdir(path))  # noqa: PTH112, PTH116 - str keys
    return _fingerprint(stamps)


@lru_cache(maxsize=4)
def _fingerprint(stamps: tuple[tuple[str, int], ...]) -> str:
    entries = (entry.name for path, _ in stamps for entry in Path(path).iterdir())
    names = sorted(name for name in entries if name.endswith((".dist-info", ".egg-info")))
    return _digest("\n".join([platform.python_version(), sys.platform, platform.machine(), *names]).encode())


def _difference(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if name.startswith("parameter "):
        old, new = (_short(values.get(name)) for values in (before, after))
        return f"{name} {old} → {new}"
    if name.startswith("code "):
        return f"code changed: {Path(name).name}"
    return f"{name} changed"


def _short(value: str | None) -> str:
    if value is None:
        return "(none)"
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"


def _folder_digests(folder: Path) -> Iterable[tuple[str, str]]:
    if folder.is_file():
        return [(folder.name, _file_digest(str(folder), folder.stat().st_mtime_ns))]
    return [
        (str(path.relative_to(folder)), _file_digest(str(path), path.stat().st_mtime_ns))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    ]


@lru_cache(maxsize=4096)
def _file_digest(path: str, modified_ns: int) -> str:  # noqa: ARG001 - part of the cache's key
    return _digest(Path(path).read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()

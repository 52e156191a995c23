"""Puts together what drives one run: the only place that knows all parts of the local engine."""

from __future__ import annotations

import atexit
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from platform_cli.events import Emit, Notice
from platform_cli.process import scrub_environment
from platform_cli.workflow.artifact import remove_tree
from platform_cli.workflow.clock import Clock
from platform_cli.workflow.driver import Driver
from platform_cli.workflow.duration import parse_duration
from platform_cli.workflow.ignored import ignored_fields
from platform_cli.workflow.job import SOURCE_PATH, Workshop, artifact_key
from platform_cli.workflow.leaf import LeafRunner
from platform_cli.workflow.lifecycle import Lifecycle
from platform_cli.workflow.model import Spec
from platform_cli.workflow.model_container import KeySelector
from platform_cli.workflow.model_template import Memoize, Template
from platform_cli.workflow.node import NodeOutputs, now
from platform_cli.workflow.python_source import third_party_imports
from platform_cli.workflow.reuse import ReuseStore
from platform_cli.workflow.sandbox import Mount, Sandbox
from platform_cli.workflow.scheduler import Surroundings
from platform_cli.workflow.scope import BindingError
from platform_cli.workflow.step_client import StepClient
from platform_cli.workflow.store import Run
from platform_cli.workflow.submission import read_library, read_spec
from platform_cli.workflow.volume import VolumeStore

if TYPE_CHECKING:
    from platform_cli.workflow.local_engine import LocalEngine

_SERVER_LOG = "step-server.log"


def assemble(engine: LocalEngine, run: Run, emit: Emit) -> Driver:
    """The driver of `run`; whatever an earlier driver finished is kept."""
    spec, folder = read_spec(run.document), engine.folder(run.name)
    _tell_ignored(spec, emit)
    volumes = _volumes(engine, folder, spec)
    world = Surroundings(
        clock=now,
        config_value=lambda selector: _config_value(volumes, selector),
        recall=lambda memoize: _recall(engine, memoize),
    )
    earlier = engine.store.nodes(run.name)
    lifecycle = Lifecycle(run.document.metadata, spec, read_library(run.document), world, earlier)
    workshop = _workshop(engine, run, spec, volumes, lifecycle)
    client = StepClient(
        env=scrub_environment(engine.environment), log=engine.home.logs / _SERVER_LOG, fork_python=engine.fork_python
    )
    clock = Clock()
    leaves = LeafRunner(
        run=run.name,
        client=client,
        workshop=workshop,
        reuse=ReuseStore(engine.store.database, engine.artifacts),
        later=clock.later,
        workers=engine.workers or 1,
        may_reuse=run.document.reuse,
        grace_s=engine.grace_s,
        log_limit_bytes=engine.log_limit_bytes,
        prepare=lambda: client.prepare(_module_groups(workshop, _in_order(lifecycle.templates(), spec))),
    )
    return Driver(
        run,
        folder=folder,
        store=engine.store,
        lifecycle=lifecycle,
        client=client,
        leaves=leaves,
        clock=clock,
        emit=emit,
    )


def _tell_ignored(spec: Spec, emit: Emit) -> None:
    fields = ignored_fields(spec)
    if fields:
        emit(Notice(level="detail", text=f"means something on a cluster only: {', '.join(fields)}"))


def _volumes(engine: LocalEngine, folder: Path, spec: Spec) -> VolumeStore:
    claims = frozenset(claim.metadata.name for claim in spec.volume_claim_templates)
    return VolumeStore(engine.home, folder, claims)


def _workshop(engine: LocalEngine, run: Run, spec: Spec, volumes: VolumeStore, lifecycle: Lifecycle) -> Workshop:
    from platform_cli.workflow.sandbox import visible_paths
    from platform_cli.workflow.substitution import substitute

    values = lifecycle.scheduler.values
    run_volumes = [substitute(volume, values, allow_unresolved=True) for volume in spec.volumes]
    project = engine.home.root.parent.parent
    places = [engine.home.root, project, Path(sys.prefix), Path(sys.base_prefix), *map(Path, sys.path)]
    arguments = visible_paths(parameter.value or "" for parameter in lifecycle.arguments.parameters)
    return Workshop(
        run=run.name,
        namespace=run.document.metadata["namespace"],
        folder=engine.folder(run.name),
        artifacts=engine.artifacts,
        volumes=volumes,
        run_volumes={volume.name: volume for volume in run_volumes},
        inherited=engine.step_environment,
        visible=[path.resolve() for path in (*places, *arguments) if str(path) not in ("", ".", "/", "/tmp")],  # noqa: S108 - a comparison
        use_namespaces=engine.has_namespaces,
        alias=None if engine.has_namespaces else _plain_name(engine.home.root),
    )


def _plain_name(folder: Path) -> tuple[Path, Path] | None:
    """Another name for `folder`, without letters that mean something to a shell; None when it has none of those."""
    if re.fullmatch(r"[\w./-]+", str(folder), re.ASCII):
        return None
    link = Path(tempfile.mkdtemp(prefix="mlops-")) / "home"
    link.symlink_to(folder.resolve())
    atexit.register(remove_tree, link.parent)
    return folder, link


def _config_value(volumes: VolumeStore, selector: KeySelector) -> str | None:
    try:
        return volumes.value("ConfigMap", selector)
    except BindingError:
        return None


def _recall(engine: LocalEngine, memoize: Memoize) -> NodeOutputs | None:
    if re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9]*", memoize.key) is None:
        raise BindingError(f"memoize.key {memoize.key!r} may hold letters, digits and dashes only")
    cache = memoize.cache.config_map.name if memoize.cache else ""
    rows = engine.store.database.rows("SELECT made, outputs FROM memos WHERE cache = ? AND key = ?", cache, memoize.key)
    if not rows:
        return None
    made, content = rows[0]
    if memoize.max_age and time.time() - float(str(made)) > parse_duration(memoize.max_age):
        return None
    outputs = msgspec.json.decode(content if isinstance(content, bytes) else str(content), type=NodeOutputs)
    is_whole = all(engine.artifacts.is_intact(artifact_key(artifact)) for artifact in outputs.artifacts)
    return outputs if is_whole else None


def _in_order(templates: Iterable[Template], spec: Spec) -> list[Template]:
    """Leaf templates in the order in which a run comes to them, as far as its text tells."""
    by_name = {template.name: template for template in templates}
    found: dict[str, Template] = {}
    waiting = [spec.entrypoint]
    while waiting:
        template = by_name.pop(waiting.pop(0), None)
        if template is None:
            continue
        found[template.name] = template
        called = [*(template.dag.tasks if template.dag else ()), *(step for g in template.steps or () for step in g)]
        waiting = [*(step.template for step in called), *waiting]
    return [template for template in found.values() if template.kind in ("container", "script")]


def _module_groups(workshop: Workshop, templates: Iterable[Template]) -> list[frozenset[str]]:
    """What each Python template will import, in the order of the templates."""
    groups = []
    for template in templates:
        container = template.script or template.container
        if container is None or not container.command or "python" not in container.command[0]:
            continue
        if template.script is not None:
            groups.append(third_party_imports(template.script.source, None))
            continue
        try:
            mounts = [
                Mount(
                    workshop.volumes.source(workshop.run_volumes[m.name], workshop.folder / "probe").folder,
                    m.mount_path,
                )
                for m in container.volume_mounts
                if m.name in workshop.run_volumes and workshop.run_volumes[m.name].config_map is not None
            ]
        except BindingError:
            continue  # the step itself will say what is missing
        sandbox = Sandbox(workshop.folder / "probe", mounts, [SOURCE_PATH])
        groups.append(workshop.modules(sandbox, [*container.command, *container.args]))
    return groups

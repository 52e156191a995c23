"""One container or script as a process on this machine: its folder before, its outputs after."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from platform_cli.workflow.artifact import ArtifactStore, unpack
from platform_cli.workflow.call import RunLeaf
from platform_cli.workflow.model_container import Container, Script, Volume
from platform_cli.workflow.model_value import Artifact, Parameter
from platform_cli.workflow.node import NodeOutputs
from platform_cli.workflow.python_source import read_program, third_party_imports
from platform_cli.workflow.sandbox import TEMPORARY, Mount, Sandbox, plan_namespace, visible_paths
from platform_cli.workflow.scope import BindingError
from platform_cli.workflow.step_channel import StepRequest
from platform_cli.workflow.volume import VolumeStore

SOURCE_PATH = "/argo/staging/script"
_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?")
_REFERENCE = re.compile(r"\$\$|\$\(([\w.-]+)\)")
# A library reads these once, when it is loaded: too late in a fork of a process that has it already.
_EARLY_VARIABLE = re.compile(r"(?:PYTHON(?!UNBUFFERED|PATH)|OMP_|MKL_|OPENBLAS_|NUMEXPR_|LD_|DYLD_|KMP_)")
_QUIET = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A leaf that is ready to start.

    Attributes:
        folder: of the node.
        sandbox: where its container paths are.
        request: the process to start.
        env: its variables as the template gives them, without what the engine adds.
        code: read-only files that it was given, by container path: folders of ConfigMaps and Secrets.
        has_state: a durable volume is mounted, so its outcome depends on more than its inputs.
    """

    leaf: RunLeaf
    folder: Path
    sandbox: Sandbox
    request: StepRequest
    env: Mapping[str, str]
    code: Sequence[Mount]
    has_state: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Makes jobs for one run.

    Attributes:
        run: the run's name; `namespace` its namespace.
        folder: of the run, with one folder per node.
        inherited: environment that every step gets.
        visible: host paths that steps must see although they lie below `/tmp`.
        use_namespaces: whether container paths are made true, else rewritten.
        alias: a folder and its plain name, see `Sandbox`.
    """

    run: str
    namespace: str
    folder: Path
    artifacts: ArtifactStore
    volumes: VolumeStore
    run_volumes: Mapping[str, Volume] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=dict)
    visible: Sequence[Path] = ()
    use_namespaces: bool = True
    alias: tuple[Path, Path] | None = None

    def prepare(self, leaf: RunLeaf) -> Job:
        """Make the node's folder with everything the process needs, inputs excepted (see `place_inputs`).

        Raises:
            BindingError: something that the template names does not exist.
            OSError: the disk is full or may not be written.
        """
        container = _container(leaf)
        folder = self.folder / leaf.node
        folder.mkdir(parents=True, exist_ok=True)
        mounts, has_state = self._mounts(leaf, container, folder)
        script = SOURCE_PATH if isinstance(container, Script) else ""
        files = [*_paths(leaf), *([script] if script else []), *_missing_folder(container.working_dir)]
        sandbox = Sandbox(folder / "root", mounts, files, self._visible(leaf), self.alias)
        sandbox.prepare()
        env = self._env(leaf, container)
        argv = [_expand(text, env) for text in (*container.command, *container.args)] + ([script] if script else [])
        request = self._request(sandbox, argv, env, container)
        if script:
            source = container.source if isinstance(container, Script) else ""
            sandbox.locate(script).write_text(self._shown(sandbox, source), encoding="utf-8")
        code = [mount for mount in mounts if mount.read_only]
        return Job(leaf=leaf, folder=folder, sandbox=sandbox, request=request, env=env, code=code, has_state=has_state)

    def place_inputs(self, job: Job) -> None:
        """Put the input artifacts at their paths.

        Raises:
            BindingError: one is not there, or comes from a place that only a cluster reaches.
            StateError: the store has lost it.
            OSError: the disk is full.
        """
        for artifact in job.leaf.inputs.artifacts:
            if not artifact.path:
                continue
            target = job.sandbox.locate(artifact.path)
            if artifact.raw is not None:
                target.write_text(artifact.raw.data, encoding="utf-8")
            else:
                self.artifacts.get(artifact_key(artifact), target, mode=artifact.mode)
                if artifact.sub_path:
                    _choose(target, artifact.sub_path)
            if artifact.archive is not None and artifact.archive.tar is not None and _is_tar(target):
                unpack(target)

    def collect(self, job: Job, *, code: int, result: str) -> NodeOutputs:
        """The outputs of a process that ended; only those that are there when it failed.

        Raises:
            BindingError: an output that has to be there is missing.
            OSError: it cannot be read, or the store is full.
        """
        declared = job.leaf.template.outputs
        must = code == 0
        parameters = [_read_parameter(job, wanted, must=must) for wanted in declared.parameters]
        artifacts = [self._keep(job, wanted, must=must) for wanted in declared.artifacts]
        return NodeOutputs(
            parameters=tuple(parameter for parameter in parameters if parameter is not None),
            artifacts=tuple(artifact for artifact in artifacts if artifact is not None),
            result=result,
            exit_code=str(code),
        )

    def modules(self, sandbox: Sandbox, argv: Sequence[str]) -> frozenset[str]:
        """What a Python command line will import from outside the standard library."""
        program = [argument for argument in argv[1:] if argument != "-u"]
        match program:
            case ["-c", source, *_]:
                return third_party_imports(source, None)
            case ["-m", *_] | []:
                return frozenset()
        path = sandbox.resolve(program[0])
        return third_party_imports(read_program(path), path.parent)

    def _request(self, sandbox: Sandbox, argv: list[str], env: Mapping[str, str], container: Container) -> StepRequest:
        if not argv:
            raise BindingError("the container has no command; its image's own entrypoint exists on a cluster only")
        is_python = _PYTHON.fullmatch(argv[0]) is not None
        modules = self.modules(sandbox, argv) if is_python else frozenset()
        if is_python:
            argv = [sys.executable, *argv[1:]]
        complete = {**self.inherited, **_QUIET, "MLOPS_RUN": self.run, **env}
        cwd = container.working_dir or "/"
        binds: Sequence[tuple[str, str, bool]] = ()
        root = ""
        if self.use_namespaces:
            plan = plan_namespace(sandbox)
            binds, root = plan.binds, plan.root
        else:
            argv = [argv[0], *(sandbox.rewrite(argument) for argument in argv[1:])]
            complete = {name: sandbox.rewrite(value) for name, value in complete.items()}
            complete.setdefault("TMPDIR", sandbox.shown(TEMPORARY))
            cwd = sandbox.shown(cwd)
            Path(cwd).mkdir(parents=True, exist_ok=True)
        can_fork = is_python and _is_forkable(argv) and not any(map(_EARLY_VARIABLE.match, env))
        return StepRequest(argv=argv, env=complete, cwd=cwd, binds=binds, root=root, python=can_fork, modules=modules)

    def _shown(self, sandbox: Sandbox, text: str) -> str:
        return text if self.use_namespaces else sandbox.rewrite(text)

    def _visible(self, leaf: RunLeaf) -> list[Path]:
        values = [parameter.value or "" for parameter in leaf.inputs.parameters]
        return [*self.visible, *visible_paths(values)]

    def _env(self, leaf: RunLeaf, container: Container) -> dict[str, str]:
        env = self.volumes.variables(container.env_from)
        fields = {"metadata.name": leaf.node, "metadata.namespace": self.namespace, "spec.nodeName": "localhost"}
        fields |= {"spec.serviceAccountName": "default", "status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1"}
        for variable in container.env:
            value = self.volumes.variable(variable, fields)
            if value is not None:
                env[variable.name] = value if variable.value_from else _expand(value, env)
        return env

    def _mounts(self, leaf: RunLeaf, container: Container, folder: Path) -> tuple[list[Mount], bool]:
        volumes = {**self.run_volumes, **{volume.name: volume for volume in leaf.template.volumes}}
        mounts, has_state = [], False
        for mount in container.volume_mounts:
            if mount.name in volumes:
                source = self.volumes.source(volumes[mount.name], folder)
            elif mount.name in self.volumes.claims:
                source = self.volumes.claim(mount.name)
            else:
                raise BindingError(f"volumeMounts: there is no volume {mount.name}")
            has_state = has_state or source.is_durable
            path = source.folder / mount.sub_path
            if mount.sub_path and not path.exists():
                path.mkdir(parents=True)
            mounts.append(Mount(path, mount.mount_path, mount.read_only or source.read_only))
        return mounts, has_state

    def _keep(self, job: Job, wanted: Artifact, *, must: bool) -> Artifact | None:
        path = job.sandbox.resolve(wanted.path)
        if path.exists():
            return msgspec.structs.replace(wanted, s3={"key": self.artifacts.put(path)})
        if wanted.optional or not must:
            return None
        raise BindingError(f"the step did not write outputs.artifacts.{wanted.name} to {wanted.path}")


def artifact_key(artifact: Artifact) -> str:
    """The store's key of an artifact.

    Raises:
        BindingError: it lies somewhere that only a cluster reaches.
    """
    if artifact.s3 is None or set(artifact.s3) != {"key"}:
        raise BindingError(f"inputs.artifacts.{artifact.name} lies where the local engine does not fetch from")
    return str(artifact.s3["key"])


def describe_error(error: OSError) -> str:
    """What went wrong with the node's files, with what to do about a full disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the disk that holds {error.filename or 'the node folder'}"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _container(leaf: RunLeaf) -> Container:
    container = leaf.template.script or leaf.template.container
    if container is None:
        raise BindingError(f"template {leaf.template.name} has neither container nor script")
    return container


def _paths(leaf: RunLeaf) -> list[str]:
    outputs = leaf.template.outputs
    sources = [parameter.value_from.path for parameter in outputs.parameters if parameter.value_from]
    artifacts = [artifact.path for artifact in (*leaf.inputs.artifacts, *outputs.artifacts)]
    return [path for path in (*artifacts, *sources) if path]


def _missing_folder(path: str) -> list[str]:
    """A file that makes `path` one of the node's own folders, as a container runtime does with a missing one."""
    return [] if not path or Path(path).is_dir() else [f"{path}/.folder"]


def _read_parameter(job: Job, wanted: Parameter, *, must: bool) -> Parameter | None:
    source = wanted.value_from
    if source is None or not source.path:
        return Parameter(name=wanted.name, value=wanted.value or "", global_name=wanted.global_name)
    path = job.sandbox.resolve(source.path)
    if path.is_file():
        value: str | None = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
    else:
        value = source.default
    if value is None and must:
        raise BindingError(f"the step did not write outputs.parameters.{wanted.name} to {source.path}")
    return None if value is None else Parameter(name=wanted.name, value=value, global_name=wanted.global_name)


def _expand(text: str, env: Mapping[str, str]) -> str:
    """Kubernetes' `$(NAME)`: known variables are replaced, unknown ones stay, `$$` is a dollar."""
    return _REFERENCE.sub(lambda match: "$" if match.group() == "$$" else env.get(match.group(1), match.group()), text)


def _is_forkable(argv: Sequence[str]) -> bool:
    program = [argument for argument in argv[1:] if argument != "-u"]
    return bool(program) and (program[0] in ("-c", "-m") or not program[0].startswith("-"))


def _is_tar(path: Path) -> bool:
    import tarfile

    return path.is_file() and tarfile.is_tarfile(path)


def _choose(target: Path, sub_path: str) -> None:
    """Keep only what lies at `sub_path` inside the folder `target`."""
    inner = target / sub_path
    aside = target.with_name(target.name + ".whole")
    if not inner.exists():
        raise BindingError(f"the artifact has nothing at subPath {sub_path}")
    os.replace(target, aside)  # noqa: PTH105 - the pair of renames reads best alike
    os.replace(aside / sub_path, target)  # noqa: PTH105

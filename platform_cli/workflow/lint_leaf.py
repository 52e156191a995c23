"""Lint of one template by itself: its kind, inputs and outputs, container, retries, deadlines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.lint_document import Document, Place, did_you_mean
from platform_cli.workflow.lint_value import (
    TAG,
    VALUE_NAME,
    lint_duration,
    lint_enum,
    lint_names,
    lint_number,
    lint_retry,
)
from platform_cli.workflow.model_container import Container
from platform_cli.workflow.model_template import Template
from platform_cli.workflow.model_value import Artifact, Parameter, ValueFrom

KINDS = ("container", "script", "dag", "steps", "suspend", "http")
LEAF_KINDS = frozenset({"container", "script", "suspend", "http"})
POD_KINDS = frozenset({"container", "script"})
_MEMO_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_SOURCES = ("path", "parameter", "expression", "config_map_key_ref", "supplied")
_LOCATIONS = ("s3", "gcs", "azure", "oss", "hdfs", "http", "git", "artifactory")


def lint_template(place: Place, *, local: bool) -> None:
    """Findings about a template that need no other template; `local` adds what only a cluster can run."""
    template, document = place.template, place.document
    _lint_kind(place)
    _lint_parameters(place)
    _lint_artifacts(place, local=local)
    container = template.container or template.script
    if container is not None:
        member = "container" if template.container is not None else "script"
        _lint_container(place, container, (*place.pointer, member), local=local)
    if template.retry_strategy is not None:
        lint_retry(document, template.retry_strategy, (*place.pointer, "retryStrategy"))
    _lint_limits(place)
    _lint_memoize(place)
    lint_operating_system(document, template.node_selector, (*place.pointer, "nodeSelector"))


def lint_operating_system(document: Document, selector: dict[str, str], pointer: Pointer) -> None:
    """Refuses Windows nodes."""
    key = "kubernetes.io/os"
    if selector.get(key) == "windows":
        document.error((*pointer, key), "Windows nodes are not supported here", "use Linux nodes")


def _lint_kind(place: Place) -> None:
    kinds = [kind for kind in KINDS if getattr(place.template, kind) is not None]
    if not kinds:
        place.document.error(place.pointer, "the template does nothing", f"add one of {', '.join(KINDS)}")
    elif len(kinds) > 1:
        message = f"a template does one thing, this has {' and '.join(kinds)}"
        place.document.error(place.pointer, message, "split it into two templates")


def _lint_parameters(place: Place) -> None:
    template, document = place.template, place.document
    for side, parameters in (("inputs", template.inputs.parameters), ("outputs", template.outputs.parameters)):
        here = (*place.pointer, side, "parameters")
        _lint_value_names(document, parameters, here, f"{side[:-1]} parameter")
    for index, parameter in enumerate(template.inputs.parameters):
        lint_enum(document, parameter, (*place.pointer, "inputs", "parameters", index))
    for index, parameter in enumerate(template.outputs.parameters):
        _lint_output(place, parameter, (*place.pointer, "outputs", "parameters", index))


def _lint_value_names(document: Document, values: Sequence[Parameter | Artifact], pointer: Pointer, word: str) -> None:
    lint_names(document, ((value.name, (*pointer, i, "name")) for i, value in enumerate(values)), word, VALUE_NAME)


def _lint_output(place: Place, parameter: Parameter, pointer: Pointer) -> None:
    document, source = place.document, parameter.value_from
    if source is None:
        if parameter.value is None:
            document.error(pointer, "the output has no source", "add `valueFrom:` with `path:`")
        return
    here = (*pointer, "valueFrom")
    if parameter.value is not None:
        document.error(pointer, "has both `value` and `valueFrom`", "keep one of them")
    given = [name for name in _SOURCES if getattr(source, name)]
    if len(given) > 1:
        document.error(here, f"has {len(given)} sources", "keep one of them")
    _lint_source_kind(place, source, here)


def _lint_source_kind(place: Place, source: ValueFrom, pointer: Pointer) -> None:
    kind = place.template.kind
    if kind in POD_KINDS and not source.path:
        place.document.error(pointer, f"an output of a {kind} template comes from a file", "add `path:`")
    if kind in ("dag", "steps") and not (source.parameter or source.expression):
        message = f"an output of a {kind} template comes from one of its {place.root}"
        place.document.error(pointer, message, f'add `parameter: "{{{{{place.root}.NAME.outputs.parameters.X}}}}"`')


def _lint_artifacts(place: Place, *, local: bool) -> None:
    template, document = place.template, place.document
    for side, artifacts in (("inputs", template.inputs.artifacts), ("outputs", template.outputs.artifacts)):
        here = (*place.pointer, side, "artifacts")
        _lint_value_names(document, artifacts, here, f"{side[:-1]} artifact")
        _lint_artifact_paths(place, artifacts, here)
        for index, artifact in enumerate(artifacts):
            if side == "inputs" and (artifact.from_ or artifact.from_expression):
                document.error(
                    (*here, index, "from"), "an input is not told where it comes from", "move it to the call"
                )
            if side == "inputs" and local:
                lint_location(document, artifact, (*here, index))


def lint_location(document: Document, artifact: Artifact, pointer: Pointer) -> None:
    """An input artifact from a store that only a cluster reads."""
    for location in _LOCATIONS:
        if getattr(artifact, location) is not None:
            message = f"an input artifact from {location} works on a cluster only"
            document.error((*pointer, location), message, "fetch it in a step, or write it as `raw:`")


def _lint_artifact_paths(place: Place, artifacts: Sequence[Artifact], pointer: Pointer) -> None:
    document, is_pod = place.document, place.template.kind in POD_KINDS
    first: dict[str, str] = {}
    for index, artifact in enumerate(artifacts):
        here = (*pointer, index)
        if is_pod and not artifact.path:
            document.error(here, f"the artifact {artifact.name!r} has no path", "add `path:`, such as /mnt/out/data")
        elif not is_pod and artifact.path and place.template.kind in ("dag", "steps"):
            document.error((*here, "path"), "only container and script templates have files", "remove `path:`")
        elif is_pod and artifact.path in first:
            message = f"the artifact {first[artifact.path]!r} has the same path"
            report = document.error if "inputs" in pointer else document.warning
            report((*here, "path"), message, "give each a path of its own")
        elif is_pod and ".." in artifact.path.split("/"):
            document.error((*here, "path"), "a path cannot go up with `..`", "write it without")
        first.setdefault(artifact.path, artifact.name)


def _lint_container(place: Place, container: Container, pointer: Pointer, *, local: bool) -> None:
    document, defaults = place.document, _defaults(place)
    if not container.image and not (defaults and defaults.image):
        document.error(pointer, "has no image", "add `image:`")
    if local and not container.command and not (defaults and defaults.command):
        message = "without `command` the image decides what runs: that works on a cluster only"
        document.error(pointer, message, "add `command: [python, …]`")
    for index, variable in enumerate(container.env):
        if variable.value and variable.value_from is not None:
            document.error((*pointer, "env", index), f"{variable.name} has both `value` and `valueFrom`", "keep one")
    if isinstance(place.template.script, Container) and not place.template.script.source.strip():
        document.warning(pointer, "the script has no source", "add `source: |`")
    _lint_mounts(place, container, pointer)
    _lint_injection(place, container, pointer)


def _defaults(place: Place) -> Container | None:
    defaults = place.document.spec.template_defaults
    return None if defaults is None else getattr(defaults, place.template.kind, None)


def _lint_mounts(place: Place, container: Container, pointer: Pointer) -> None:
    document, spec = place.document, place.document.spec
    volumes = [volume.name for volume in (*place.template.volumes, *spec.volumes)]
    volumes += [claim.metadata.name for claim in spec.volume_claim_templates]
    taken: dict[str, str] = {}
    for index, mount in enumerate(container.volume_mounts):
        here = (*pointer, "volumeMounts", index)
        if mount.name not in volumes and "{{" not in mount.name and not document.is_library:
            document.error((*here, "name"), f"there is no volume {mount.name!r}", did_you_mean(mount.name, volumes))
        elif mount.name not in volumes and "{{" not in mount.name:
            _lint_library_mount(document, mount.name, volumes, here)
        if mount.mount_path in taken:
            message = f"{mount.mount_path} is the mount path of {taken[mount.mount_path]!r}, too"
            document.error((*here, "mountPath"), message, "give each a path of its own")
        taken.setdefault(mount.mount_path, mount.name)
    for index, artifact in enumerate(place.template.inputs.artifacts):
        if artifact.path in taken:
            here = (*place.pointer, "inputs", "artifacts", index, "path")
            document.error(here, f"{artifact.path} is a mount path, too", "give the artifact another path")


def _lint_library_mount(document: Document, name: str, volumes: list[str], pointer: Pointer) -> None:
    """A missing volume may come from the caller only where the template cannot run by itself."""
    report = document.error if document.spec.entrypoint else document.warning
    report((*pointer, "name"), f"there is no volume {name!r}", did_you_mean(name, volumes, "add it to `volumes:`"))


def _lint_injection(place: Place, container: Container, pointer: Pointer) -> None:
    script = place.template.script
    hint = "pass the value through `env:` or `args:`"
    if script is not None and TAG.search(script.source):
        message = "a tag in the source is pasted in unquoted: its value can become code"
        place.document.warning((*pointer, "source"), message, hint)
    line = [*container.command, *container.args]
    if not line or line[0].rpartition("/")[2] not in _SHELLS or "-c" not in line:
        return
    for index, text in enumerate(line[line.index("-c") + 1 :][:1], line.index("-c") + 1):
        member = ("command", index) if index < len(container.command) else ("args", index - len(container.command))
        if TAG.search(text):
            message = "a tag in a shell command is pasted in unquoted: its value can become a command"
            place.document.warning((*pointer, *member), message, hint)


def _lint_limits(place: Place) -> None:
    template, document = place.template, place.document
    is_leaf = template.kind in LEAF_KINDS
    if template.timeout:
        here = (*place.pointer, "timeout")
        if is_leaf:
            lint_duration(document, template.timeout, here, bare_numbers=False)
        else:
            document.error(here, f"a {template.kind} template has no timeout", "set it on the templates it calls")
    if template.active_deadline_seconds is not None:
        here = (*place.pointer, "activeDeadlineSeconds")
        if is_leaf:
            lint_number(document, template.active_deadline_seconds, here, least=1)
        else:
            hint = "set it on the templates it calls, or on the workflow"
            document.error(here, f"a {template.kind} template has no deadline", hint)
    if template.parallelism is not None:
        _lint_parallelism(document, template, (*place.pointer, "parallelism"), is_leaf=is_leaf)
    if template.suspend is not None:
        lint_duration(document, template.suspend.duration, (*place.pointer, "suspend", "duration"), bare_numbers=True)


def _lint_parallelism(document: Document, template: Template, pointer: Pointer, *, is_leaf: bool) -> None:
    if is_leaf:
        document.error(pointer, f"a {template.kind} template runs one thing", "set it on the dag or steps around it")
    elif template.parallelism is not None:
        lint_number(document, template.parallelism, pointer, least=1)


def _lint_memoize(place: Place) -> None:
    memoize = place.template.memoize
    if memoize is None:
        return
    pointer, document = (*place.pointer, "memoize"), place.document
    if not _MEMO_KEY.fullmatch(TAG.sub("x", memoize.key)):
        hint = "use letters, digits and `-`; the values of tags have to obey this, too"
        document.error((*pointer, "key"), f"{memoize.key!r} cannot be a key", hint)
    if memoize.max_age:
        lint_duration(document, memoize.max_age, (*pointer, "maxAge"), bare_numbers=False)
    else:
        document.error((*pointer, "maxAge"), "is missing", 'add `maxAge: "24h"`')
    if memoize.cache is None:
        document.error((*pointer, "cache"), "is missing", "add `cache: {configMap: {name: …}}`")

"""What passes between templates: parameters and artifacts.

Field meanings are those of `argoproj.io/v1alpha1` in Argo Workflows 4.
"""

from __future__ import annotations

import msgspec

from platform_cli.workflow.model_container import Extra, KeySelector, Part


class ValueFrom(Part, frozen=True):
    """Where a parameter's value comes from; `default` is used when that source has none."""

    path: str = ""
    default: str | None = None
    parameter: str = ""
    expression: str = ""
    config_map_key_ref: KeySelector | None = None
    supplied: Extra | None = None


class Parameter(Part, frozen=True):
    """A parameter: every value is a string."""

    name: str
    value: str | None = None
    default: str | None = None
    value_from: ValueFrom | None = None
    enum: tuple[str, ...] = ()
    description: str = ""
    global_name: str = ""


class RawArtifact(Part, frozen=True):
    """An artifact whose content is written in the manifest."""

    data: str


class TarArchive(Part, frozen=True):
    """tar and gzip; `compression_level` 0 (none) to 9, or -1."""

    compression_level: int | None = None


class Archive(Part, frozen=True):
    """How an artifact is packed; at most one is set, tar and gzip when none is."""

    none: Extra | None = None
    tar: TarArchive | None = None
    zip: Extra | None = None


class Artifact(Part, frozen=True):
    """A file or folder that passes between templates."""

    name: str
    path: str = ""
    from_: str = msgspec.field(default="", name="from")
    from_expression: str = ""
    optional: bool = False
    raw: RawArtifact | None = None
    mode: int | None = None
    recurse_mode: bool = False
    sub_path: str = ""
    archive: Archive | None = None
    global_name: str = ""
    archive_logs: bool | None = None
    artifact_gc: Extra | None = msgspec.field(default=None, name="artifactGC")
    s3: Extra | None = None
    gcs: Extra | None = None
    azure: Extra | None = None
    oss: Extra | None = None
    hdfs: Extra | None = None
    http: Extra | None = None
    git: Extra | None = None
    artifactory: Extra | None = None


class Arguments(Part, frozen=True):
    """Parameters and artifacts given to a template or to the workflow."""

    parameters: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


class Inputs(Part, frozen=True):
    """What a template takes."""

    parameters: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


class Outputs(Part, frozen=True):
    """What a template gives."""

    parameters: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()

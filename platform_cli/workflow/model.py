"""Typed model of the workflow files we support, and how a manifest becomes one."""

from __future__ import annotations

from typing import Literal

import msgspec

from platform_cli.workflow.finding import Finding, refusal
from platform_cli.workflow.model_container import Extra, Part, Volume
from platform_cli.workflow.model_template import Hook, PodMetadata, RetryStrategy, Synchronization, Template
from platform_cli.workflow.model_text import parameters_as_text
from platform_cli.workflow.model_value import Arguments
from platform_cli.workflow.source import Manifest

TEMPLATE_KINDS = ("WorkflowTemplate", "ClusterWorkflowTemplate")
RUNNABLE_KINDS = ("Workflow", *TEMPLATE_KINDS)


class Metadata(Part, frozen=True):
    """A Kubernetes object's metadata; what a cluster adds is accepted and not used."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str = ""
    resource_version: str = ""
    generation: int | None = None
    creation_timestamp: str | None = None
    finalizers: list[str] = []
    managed_fields: list[Extra] = []
    owner_references: list[Extra] = []
    self_link: str = ""


class WorkflowTemplateRef(Part, frozen=True):
    """The WorkflowTemplate whose spec a Workflow runs."""

    name: str = ""
    cluster_scope: bool = False


class WorkflowMetadata(PodMetadata, frozen=True):
    """Labels and annotations that every run gets."""

    labels_from: dict[str, Extra] = {}


class Claim(Part, frozen=True):
    """A volume claim that is made for each run."""

    metadata: Metadata = Metadata()
    spec: Extra = {}
    api_version: str = ""
    kind: str = ""
    status: Extra | None = None


class Spec(Part, frozen=True):
    """A workflow's spec."""

    entrypoint: str = ""
    arguments: Arguments = Arguments()
    templates: tuple[Template, ...] = ()
    workflow_template_ref: WorkflowTemplateRef | None = None
    template_defaults: Template | None = None
    on_exit: str = ""
    hooks: dict[str, Hook] = {}
    parallelism: int | None = None
    active_deadline_seconds: int | None = None
    suspend: bool | None = None
    shutdown: str = ""
    retry_strategy: RetryStrategy | None = None
    synchronization: Synchronization | None = None
    volumes: tuple[Volume, ...] = ()
    volume_claim_templates: tuple[Claim, ...] = ()
    workflow_metadata: WorkflowMetadata | None = None
    priority: int | None = None
    archive_logs: bool | None = None
    artifact_repository_ref: Extra | None = None
    metrics: Extra | None = None
    affinity: Extra | None = None
    artifact_gc: Extra | None = msgspec.field(default=None, name="artifactGC")
    automount_service_account_token: bool | None = None
    dns_config: Extra | None = None
    dns_policy: str = ""
    executor: Extra | None = None
    host_aliases: list[Extra] = []
    host_network: bool | None = None
    image_pull_secrets: list[Extra] = []
    node_selector: dict[str, str] = {}
    pod_disruption_budget: Extra | None = None
    pod_gc: Extra | None = msgspec.field(default=None, name="podGC")
    pod_metadata: PodMetadata | None = None
    pod_priority_class_name: str = ""
    pod_spec_patch: str = ""
    scheduler_name: str = ""
    security_context: Extra | None = None
    service_account_name: str = ""
    tolerations: list[Extra] = []
    ttl_strategy: Extra | None = None
    volume_claim_gc: Extra | None = msgspec.field(default=None, name="volumeClaimGC")


class Workflow(Part, frozen=True):
    """A Workflow, WorkflowTemplate or ClusterWorkflowTemplate."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"]
    spec: Spec
    metadata: Metadata = Metadata()
    status: Extra | None = None


class CronSpec(Part, frozen=True):
    """When to start what."""

    schedules: tuple[str, ...]
    workflow_spec: Spec
    workflow_metadata: PodMetadata | None = None
    concurrency_policy: Literal["", "Allow", "Forbid", "Replace"] = ""
    timezone: str = ""
    suspend: bool | None = None
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None
    stop_strategy: Extra | None = None
    when: str = ""


class CronWorkflow(Part, frozen=True):
    """A workflow that starts by the clock; read and checked, not started by the local engine."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["CronWorkflow"]
    spec: CronSpec
    metadata: Metadata = Metadata()
    status: Extra | None = None


def parse(manifest: Manifest) -> Workflow:
    """The typed workflow of a manifest.

    Raises:
        LintError: another kind of object, unknown or unsupported fields, wrong types; all of them are listed.
    """
    parsed, found = inspect(manifest)
    if any(finding.level == "error" for finding in found):
        raise refusal(found)
    if isinstance(parsed, Workflow):
        return parsed
    hint = f"give a file with one of {', '.join(RUNNABLE_KINDS)}"
    raise refusal([manifest.finding(("kind",), "a CronWorkflow cannot be run directly", hint)])


def inspect(manifest: Manifest) -> tuple[Workflow | CronWorkflow | None, tuple[Finding, ...]]:
    """The typed object, or None with errors among the findings. Warnings may come with either."""
    data, notes = parameters_as_text(manifest)
    target: type[Workflow | CronWorkflow] = CronWorkflow if data.get("kind") == "CronWorkflow" else Workflow
    try:
        return msgspec.convert(data, target), notes
    except msgspec.ValidationError as error:
        from platform_cli.workflow.model_check import explain

        found = explain(data, target, manifest) or (manifest.finding((), str(error)),)
        return None, (*notes, *found)

"""Fields that mean something on a cluster only: accepted, and named in one line for people."""

from __future__ import annotations

from collections.abc import Iterator

from platform_cli.workflow.model import Spec
from platform_cli.workflow.model_container import Container, Part
from platform_cli.workflow.model_template import RetryStrategy, Template

_POD = (
    "affinity", "automount_service_account_token", "executor", "host_aliases", "node_selector", "pod_spec_patch",
    "scheduler_name", "security_context", "service_account_name", "tolerations",
)  # fmt: skip
_IGNORED: dict[type[Part], tuple[str, ...]] = {
    Spec: (
        *_POD, "artifact_gc", "artifact_repository_ref", "dns_config", "dns_policy", "host_network",
        "image_pull_secrets", "metrics", "pod_disruption_budget", "pod_gc", "pod_metadata", "pod_priority_class_name",
        "priority", "ttl_strategy", "volume_claim_gc",
    ),
    Template: (*_POD, "archive_location", "metrics", "priority_class_name"),
    Container: (
        "image_pull_policy", "lifecycle", "liveness_probe", "ports", "readiness_probe", "resize_policy", "resources",
        "restart_policy", "security_context", "startup_probe", "stdin", "stdin_once", "termination_message_path",
        "termination_message_policy", "tty", "volume_devices",
    ),
    RetryStrategy: ("affinity",),
}  # fmt: skip


def ignored_fields(spec: Spec) -> tuple[str, ...]:
    """The fields that `spec` uses and the local engine has no use for, as they are spelt in files, sorted."""
    return tuple(sorted({field for part in _parts(spec) for field in _used(part)}))


def _parts(spec: Spec) -> Iterator[Part]:
    yield spec
    waiting = [*spec.templates, *([spec.template_defaults] if spec.template_defaults else [])]
    while waiting:
        template = waiting.pop()
        yield template
        yield from (part for part in (template.container, template.script, template.retry_strategy) if part is not None)
        calls = (
            *(template.dag.tasks if template.dag else ()),
            *(step for group in template.steps or () for step in group),
        )
        waiting.extend(call.inline for call in calls if call.inline is not None)


def _used(part: Part) -> Iterator[str]:
    names = next((names for kind, names in _IGNORED.items() if isinstance(part, kind)), ())
    spelling = dict(zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True))
    yield from (spelling[name] for name in names if getattr(part, name))

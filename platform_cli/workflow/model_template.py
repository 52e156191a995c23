"""Argo's templates: the kinds of work, how tasks call each other, retries and locks.

Field meanings are those of `argoproj.io/v1alpha1` in Argo Workflows 4.
"""

from __future__ import annotations

from typing import Any, Literal

from platform_cli.workflow.model_container import Container, Extra, IntOrString, KeySelector, Part, Script, Volume
from platform_cli.workflow.model_value import Arguments, Inputs, Outputs


class TemplateRef(Part, frozen=True):
    """A template of another WorkflowTemplate, or of a ClusterWorkflowTemplate with `cluster_scope`."""

    name: str = ""
    template: str = ""
    cluster_scope: bool = False


class ContinueOn(Part, frozen=True):
    """Whether what follows runs although this failed or errored."""

    error: bool = False
    failed: bool = False


class Sequence(Part, frozen=True):
    """Numbers to loop over: `count` of them from `start`, or up to `end`, which may lie below `start`."""

    count: IntOrString | None = None
    start: IntOrString | None = None
    end: IntOrString | None = None
    format: str = ""


class Hook(Part, frozen=True):
    """A template that runs when `expression` becomes true; a hook called `exit` needs none."""

    template: str = ""
    template_ref: TemplateRef | None = None
    arguments: Arguments = Arguments()
    expression: str = ""


class Step(Part, frozen=True):
    """One call of a template: in a steps template, and what it shares with a DAG task."""

    name: str = ""
    template: str = ""
    template_ref: TemplateRef | None = None
    inline: Template | None = None
    arguments: Arguments = Arguments()
    when: str = ""
    with_items: tuple[Any, ...] = ()
    with_param: str = ""
    with_sequence: Sequence | None = None
    continue_on: ContinueOn | None = None
    hooks: dict[str, Hook] = {}
    on_exit: str = ""


class Task(Step, frozen=True):
    """One task of a DAG; it waits for `dependencies`, or for what the expression `depends` names."""

    dependencies: tuple[str, ...] = ()
    depends: str = ""


class Dag(Part, frozen=True):
    """Tasks and what they wait for. `target` names the tasks to reach, separated by spaces."""

    tasks: tuple[Task, ...]
    fail_fast: bool | None = None
    target: str = ""


class Suspend(Part, frozen=True):
    """A wait: for a person, or `duration` (seconds, or such as `10m`)."""

    duration: IntOrString = ""


class HttpHeader(Part, frozen=True):
    """One request header; the value may come from a Secret."""

    name: str
    value: str = ""
    value_from: Extra | None = None


class Http(Part, frozen=True):
    """An HTTP request as a step."""

    url: str
    method: str = ""
    headers: tuple[HttpHeader, ...] = ()
    body: str = ""
    body_from: Extra | None = None
    timeout_seconds: int | None = None
    success_condition: str = ""
    insecure_skip_verify: bool = False


class Backoff(Part, frozen=True):
    """The wait before attempt n is `duration` * `factor` ** (n - 1), at most `cap`."""

    duration: IntOrString = ""
    factor: IntOrString | None = None
    cap: IntOrString = ""
    max_duration: IntOrString = ""


class RetryStrategy(Part, frozen=True):
    """When a failed node runs again: `limit` retries, or without end."""

    limit: IntOrString | None = None
    retry_policy: Literal["", "Always", "OnFailure", "OnError", "OnTransientError"] = ""
    backoff: Backoff | None = None
    expression: str = ""
    affinity: Extra | None = None


class CacheConfigMap(Part, frozen=True):
    """The ConfigMap that holds remembered outputs."""

    name: str = ""


class MemoizeCache(Part, frozen=True):
    """Where outputs are remembered."""

    config_map: CacheConfigMap


class Memoize(Part, frozen=True):
    """Take the outputs of an earlier node with the same `key`, not older than `max_age`."""

    key: str
    cache: MemoizeCache | None = None
    max_age: str = ""


class Mutex(Part, frozen=True):
    """A lock that one holder has."""

    name: str = ""
    namespace: str = ""
    database: bool = False


class Semaphore(Part, frozen=True):
    """A lock that as many may hold as the key says."""

    config_map_key_ref: KeySelector | None = None
    database: Extra | None = None
    namespace: str = ""


class Synchronization(Part, frozen=True):
    """Locks to hold while running."""

    mutexes: tuple[Mutex, ...] = ()
    semaphores: tuple[Semaphore, ...] = ()


class PodMetadata(Part, frozen=True):
    """Labels and annotations."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Template(Part, frozen=True):
    """One unit of work: exactly one of container, script, dag, steps, suspend, http is set."""

    name: str = ""
    inputs: Inputs = Inputs()
    outputs: Outputs = Outputs()
    container: Container | None = None
    script: Script | None = None
    dag: Dag | None = None
    steps: tuple[tuple[Step, ...], ...] | None = None
    suspend: Suspend | None = None
    http: Http | None = None
    retry_strategy: RetryStrategy | None = None
    active_deadline_seconds: IntOrString | None = None
    timeout: str = ""
    parallelism: int | None = None
    fail_fast: bool | None = None
    memoize: Memoize | None = None
    synchronization: Synchronization | None = None
    volumes: tuple[Volume, ...] = ()
    annotations: dict[str, str] = {}
    metadata: PodMetadata | None = None
    metrics: Extra | None = None
    archive_location: Extra | None = None
    affinity: Extra | None = None
    automount_service_account_token: bool | None = None
    executor: Extra | None = None
    host_aliases: list[Extra] = []
    node_selector: dict[str, str] = {}
    pod_spec_patch: str = ""
    priority_class_name: str = ""
    scheduler_name: str = ""
    security_context: Extra | None = None
    service_account_name: str = ""
    tolerations: list[Extra] = []

    @property
    def kind(self) -> str:
        """Which kind of work this is, in Argo's spelling of the field; empty when none is set."""
        kinds = ("container", "script", "dag", "steps", "suspend", "http")
        return next((kind for kind in kinds if getattr(self, kind) is not None), "")

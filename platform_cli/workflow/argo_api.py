"""What the Argo engine asks of a cluster; answered by the cluster's own API, or by Argo's server in front of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from platform_cli.workflow.interface import WorkflowObject

API_VERSION = "argoproj.io/v1alpha1"
TEMPLATE_LABEL = "workflows.argoproj.io/workflow-template"
COMPLETED_LABEL = "workflows.argoproj.io/completed"
MANAGER_LABEL = "app.kubernetes.io/managed-by"
MANAGED = {MANAGER_LABEL: "mlops"}
RUNNER = "argo-workflow"
"""The service account of runs that name none."""
SPEC_HASH = "mlops.dev/spec-hash"
RESUMED_AT = "mlops.dev/resumed-at"
OVER = ("Succeeded", "Failed", "Error")
MAIN = "main"
"""The container of a pod in which a step's own program runs."""


class WorkflowApi(Protocol):
    """Workflows of one namespace. Every method raises an MlopsError when it is not let or not answered."""

    @property
    def namespace(self) -> str:
        """Where the runs are."""

    def find(self, name: str) -> WorkflowObject | None:
        """One run as the cluster has it; None when there is none."""

    def list_newest(self, limit: int) -> list[WorkflowObject]:
        """The newest runs first, without their nodes."""

    def find_template(self, template: Mapping[str, Any]) -> WorkflowObject | None:
        """The template of the same kind and name as the cluster has it; None when there is none."""

    def apply_template(self, template: Mapping[str, Any]) -> None:
        """Make a WorkflowTemplate or ClusterWorkflowTemplate, or bring it up to date."""

    def create(self, workflow: WorkflowObject) -> None:
        """Make a run; its name must be free."""

    def watch(self, name: str) -> Iterator[WorkflowObject | None]:
        """The run now and after each change, over dropped connections; None when it was deleted."""

    def read_log(self, workflow: WorkflowObject, node: Mapping[str, Any], *, follow: bool) -> Iterator[str]:
        """The main container's log, line by line, with `follow` until it ends.

        Raises:
            NotFoundError: the pod is gone.
            ToolError: the container has not started.
        """

    def find_pod(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> dict[str, Any] | None:
        """The pod of a node; None when it is gone, or when we cannot be told."""

    def list_warnings(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> list[str]:
        """What the cluster said about a node's pod, oldest first; empty when we cannot be told."""

    def stop(self, name: str) -> None:
        """Ask the controller to end a run; exit handlers still run."""

    def retry(self, workflow: WorkflowObject) -> None:
        """Open an ended run again: what failed is made anew, what succeeded stays."""

    def wake(self, workflow: WorkflowObject) -> None:
        """Let a suspended run, or its suspended nodes, go on."""

    def delete(self, name: str) -> None:
        """Remove a run with its pods."""

    def download(
        self, workflow: WorkflowObject, node: Mapping[str, Any], artifact: Mapping[str, Any], target: Path
    ) -> None:
        """Copy the stored object of an artifact, packed as it is, to the file `target`."""

    def apply_config_map(self, name: str, files: Mapping[str, bytes]) -> None:
        """Make a ConfigMap, or replace all of it."""

    def ping(self) -> None:
        """Ask for something small, to learn whether there is an answer at all."""

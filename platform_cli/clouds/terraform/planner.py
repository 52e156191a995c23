"""Plans one root with Terraform in its work copy and applies what was planned, one command at a time."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.clouds.terraform import readiness
from platform_cli.clouds.terraform.backend import StateBackend
from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.clouds.terraform.price import estimate
from platform_cli.clouds.terraform.state_bootstrap import require_one_state
from platform_cli.clouds.terraform.state_heartbeat import beating
from platform_cli.clouds.terraform.state_lock import explain_lock
from platform_cli.clouds.terraform.work_copy import WorkCopy
from platform_cli.errors import StateError, ToolError
from platform_cli.events import Emit, Notice
from platform_cli.lock import hold_lock
from platform_cli.plan import Operation
from platform_cli.resource import RootPlan
from platform_cli.runner import Runner
from platform_cli.stage import TerraformRoot
from platform_cli.tools.terraform import Options, Terraform
from platform_cli.tools.terraform_executable import find_executable
from platform_cli.tools.terraform_plan import parse_plan, plan_nothing

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Look
    from platform_cli.config import Terraform as TerraformConfig

_NAME_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Terraform for one target. Attributes are as in `Terraform`, `WorkCopy` and `Provider`."""

    copy: WorkCopy
    backend: StateBackend
    variables: Mapping[str, Any]
    data_types: frozenset[str]
    config: TerraformConfig
    runner: Runner
    environ: Mapping[str, str]

    def terraform(self) -> Terraform:
        """Terraform in the work copy.

        Raises:
            PreflightError: there is none on this machine.
        """
        return Terraform(
            name=self.copy.name,
            folder=self.copy.root,
            executable=find_executable(self.config.executable, self.environ),
            runner=self.runner,
            environ=self.environ,
            log=self.copy.home.logs / "terraform.log",
            options=Options(
                plugin_dirs=self.config.plugin_dirs,
                parallelism=self.config.parallelism,
                lock_timeout_s=self.config.lock_timeout_s,
            ),
        )

    def plan(self, look: Look, *, targets: Sequence[str] = (), destroy: bool | None = None) -> RootPlan:
        """What Terraform would do now, in a file of its own; or what the saved plan does.

        `targets` are the only addresses to plan; `destroy` is what the look says unless given. What is changed only to
        be destroyed after it is not refreshed: what it needs may be gone already and is not to be made anew.

        Raises:
            ToolError: Terraform failed.
            StateError: another command works with Terraform here.
        """
        terraform = self.terraform()
        require_one_state(self.local, self.backend)
        with self._working("plan"):
            self.copy.write(self.variables, self.backend)
            look.emit(self._tell_place())
            self._init(terraform, look.emit)
            with tempfile.TemporaryDirectory(dir=self.copy.plans, prefix=".new-") as folder:
                file = Path(folder) / "plan"
                if look.saved is not None:
                    shutil.copyfile(look.saved, file)
                else:
                    ends = look.operation is Operation.DESTROY
                    destroys = ends if destroy is None else destroy
                    refresh = destroys or not ends
                    said = terraform.plan(file, look.emit, destroy=destroys, targets=targets, refresh=refresh)
                    if said.plans_nothing:
                        # To show a plan costs seconds: Terraform starts the provider once more to read it.
                        return self._place(file, plan_nothing(file))
                return self._keep(file, terraform)

    def find_drift(self, emit: Emit) -> dict[str, Any]:
        """What is not as the state records it, as Terraform shows it. Nothing is changed.

        Raises:
            ToolError: Terraform failed.
            StateError: another command works with Terraform here.
        """
        terraform = self.terraform()
        with self._working("plan"):
            self.copy.write(self.variables, self.backend)
            self._init(terraform, emit)
            with tempfile.TemporaryDirectory(dir=self.copy.plans, prefix=".new-") as folder:
                return terraform.find_drift(Path(folder) / "plan", emit)

    def apply(self, work: TerraformRoot, emit: Emit) -> str:
        """Do what was planned; afterwards every saved plan is stale and goes.

        Raises:
            ToolError: Terraform failed; what was done is in the state.
            StateError: the plan is gone or stale, or another command works with Terraform here.
        """
        if work.plan is None or not work.plan.is_file():
            raise StateError(f"{work.root}: its plan is gone", hint="run the same command again")
        with self._working("apply"):
            self.local.keep()
            try:
                counts = self.terraform().apply(work.plan, emit, total=work.resources).counts
            finally:
                self._close_state()
            for file in self.copy.plans.glob("*.tfplan"):
                file.unlink(missing_ok=True)
        return f"{counts.get('add', 0)} added, {counts.get('change', 0)} changed, {counts.get('remove', 0)} destroyed"

    @property
    def local(self) -> LocalBackend:
        """The state on this machine, whether it holds or not."""
        return LocalBackend(self.copy.state)

    def _init(self, terraform: Terraform, emit: Emit) -> None:
        if readiness.is_ready(self.copy, terraform):
            return
        readiness.forget(self.copy)
        terraform.init(emit, backend_file=None if self._is_local else self.copy.backend_file)
        readiness.remember(self.copy, terraform)

    @property
    def _is_local(self) -> bool:
        return self.backend.kind == self.local.kind

    def _tell_place(self) -> Notice:
        if self._is_local:
            text = f"the state of {self.copy.name} is on this machine only: {self.backend.place}"
            return Notice(level="hint", text=f"{text} (mlops state bootstrap moves it to the cloud)")
        return Notice(level="detail", text=f"the state of {self.copy.name} is in {self.backend.place}")

    def _keep(self, file: Path, terraform: Terraform) -> RootPlan:
        """Parse a plan and keep it under a name that tells what it does."""
        try:
            document = terraform.show_plan(file)
            found = parse_plan(document, file, data_types=self.data_types)
            cost = estimate(document, self.copy.source.parent / "prices", self.copy.target.cloud)
        except (KeyError, TypeError) as error:
            raise ToolError(
                f"{self.copy.name}: Terraform's plan is of a format that this version does not know: {error}",
                hint="use a Terraform between 1.11 and 2.0",
            ) from error
        return self._place(file, replace(found, cost=cost if found.changes else None))

    def _place(self, file: Path, found: RootPlan) -> RootPlan:
        kept = self.copy.plans / f"{found.digest[:_NAME_DIGITS]}.tfplan"
        file.chmod(0o600)
        file.replace(kept)
        return replace(found, file=kept)

    def _close_state(self) -> None:
        """Terraform writes the state, secrets in clear, for everybody to read; only the folder keeps others out."""
        for file in self.copy.state.parent.glob("*.tfstate*"):
            file.chmod(0o600)

    @contextlib.contextmanager
    def _working(self, command: str) -> Iterator[None]:
        self.copy.make_folders()
        with (
            hold_lock(self.copy.lock, target=self.copy.name, command=f"terraform {command}"),
            beating(self.backend, f"terraform {command}"),
            explain_lock(self.backend, self.copy.root, self.copy.name),
        ):
            yield

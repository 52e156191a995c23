"""What the tests of the local engine share: engines on fresh homes, and runs of small manifests."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_cli.events import Event
from platform_cli.layout import TargetHome
from platform_cli.workflow.interface import Submission
from platform_cli.workflow.local_engine import LocalEngine

HEADER = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: run-}
spec:
"""
COMMON = {
    "say": """\
- name: say
  inputs: {parameters: [{name: text, value: hello}]}
  container: {image: alpine, command: [echo, "{{inputs.parameters.text}}"]}
""",
    "fail": """\
- name: fail
  container: {image: alpine, command: [sh, -c, "echo broken >&2; exit 3"]}
""",
    "ok": """\
- name: ok
  container: {image: alpine, command: ["true"]}
""",
}
"""Templates that a manifest gets when it names them; `templates` has to be its last field."""


@dataclass
class Bench:
    """An engine with a project of its own."""

    project: Path
    options: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def home(self) -> TargetHome:
        return TargetHome(self.project / ".mlops" / "embedded-dev")

    @property
    def engine(self) -> LocalEngine:
        if "_engine" not in self.__dict__:
            options = {"environment": dict(os.environ), "grace_s": 0.5} | self.options
            self.__dict__["_engine"] = LocalEngine(self.home, **options)
        return self.__dict__["_engine"]

    def manifest(self, spec: str, name: str = "workflow.yaml") -> Path:
        """A file with a Workflow; `spec` is YAML without its outermost indentation."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = textwrap.dedent(spec)
        text += "".join(yaml for name, yaml in COMMON.items() if re.search(rf"(template|onExit): {name}\b", text))
        path.write_text(text if "apiVersion" in text else HEADER + textwrap.indent(text, "  "), encoding="utf-8")
        return path

    def submit(self, spec: str, parameters: Mapping[str, str] | None = None, **options: Any) -> str:
        submission = Submission(manifest=self.manifest(spec), parameters=parameters or {}, **options)
        return self.engine.submit(submission)

    def run(self, spec: str, parameters: Mapping[str, str] | None = None, **options: Any) -> Outcome:
        options = {"reuse": False} | options
        return self.go(self.submit(spec, parameters, **options))

    def go(self, name: str) -> Outcome:
        return Outcome(self.engine.run(name, self.events.append))

    def close(self) -> None:
        self.engine.close()


@contextmanager
def open_bench(tmp_path: Path) -> Iterator[Bench]:
    """An engine in a project whose path is awkward on purpose."""
    bench = Bench(tmp_path / "a project with spaces, ü")
    bench.project.mkdir(parents=True)
    yield bench
    bench.close()


@dataclass
class Outcome:
    """A finished run."""

    workflow: dict[str, Any]

    @property
    def name(self) -> str:
        return self.workflow["metadata"]["name"]

    @property
    def phase(self) -> str:
        return self.workflow["status"]["phase"]

    @property
    def message(self) -> str:
        return self.workflow["status"].get("message", "")

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """Nodes by name, without the run's own name in front."""
        found = self.workflow["status"]["nodes"].values()
        return {node["name"].removeprefix(self.name).lstrip("."): node for node in found}

    @property
    def phases(self) -> dict[str, str]:
        return {name: node["phase"] for name, node in self.nodes.items() if name}

    def result(self, name: str) -> str:
        return self.nodes[name]["outputs"]["result"]

    def output(self, name: str, parameter: str) -> str:
        return {p["name"]: p["value"] for p in self.nodes[name]["outputs"]["parameters"]}[parameter]

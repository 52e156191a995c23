"""Reading what the steps of a run wrote, once or as they write it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from platform_cli.errors import NotFoundError
from platform_cli.events import LogLine
from platform_cli.workflow.node import Node
from platform_cli.workflow.step_output import LOG_NAME, read_lines
from platform_cli.workflow.store import RunStore

_POLL_S = 0.2


def read_log(store: RunStore, folder: Path, run: str, *, step: str | None, follow: bool) -> Iterator[LogLine]:
    """The lines of a run's steps in the order of the steps; with `follow`, on as they come until the run ends.

    Args:
        store: has the run's nodes.
        folder: of the run.
        run: its name.
        step: only nodes with this display name, name or template.
        follow: wait for more until the run is over.

    Raises:
        NotFoundError: no node of the run answers to `step`.
    """
    tail = Tail(folder)
    while True:
        # Asked first, so that what is written until the very end is still read.
        is_over = not follow or store.run(run).status.phase not in ("Pending", "Running")
        nodes = store.nodes(run)
        chosen = [node for node in nodes if step is None or step in _answers(node)]
        if is_over and step is not None and not chosen:
            raise _unknown(run, step, nodes)
        for node in chosen:
            yield from tail.read(node)
        if is_over:
            return
        time.sleep(_POLL_S)


@dataclass(slots=True)
class Tail:
    """Reads on where it stopped, in the logs of all steps of the run in `folder`."""

    folder: Path
    positions: dict[str, int] = field(default_factory=dict)

    def read(self, node: Node) -> Iterator[LogLine]:
        """Complete lines that were not read yet."""
        path = self._find(node)
        if node.type != "Pod" or not path.exists():
            return
        with path.open("rb") as log:
            log.seek(self.positions.get(node.id, 0))
            text = log.read()
        text = text[: text.rfind(b"\n") + 1]
        self.positions[node.id] = self.positions.get(node.id, 0) + len(text)
        for stream, line in read_lines(text.decode(errors="replace")):
            yield LogLine(source=node.display_name, stream=stream, text=line)

    def _find(self, node: Node) -> Path:
        """The node's own log; a reused node wrote none, the one whose outputs it took did."""
        if node.reuse is not None and node.reuse.origin:
            return self.folder.parent / node.reuse.origin / LOG_NAME
        return self.folder / node.id / LOG_NAME


def _answers(node: Node) -> tuple[str, ...]:
    return (node.display_name, node.name, node.id, node.template_name, node.display_name.partition("(")[0])


def _unknown(run: str, step: str, nodes: list[Node]) -> NotFoundError:
    known = sorted({node.display_name for node in nodes if node.type == "Pod"})
    near = difflib.get_close_matches(step, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its steps: {', '.join(known) or 'none yet'}"
    return NotFoundError(f"run {run} has no step {step}", hint=hint)

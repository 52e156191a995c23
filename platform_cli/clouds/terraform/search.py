"""Searches a cloud for what a deployment left: many small questions, each of which may be refused for itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from platform_cli.clouds.terraform.provider import Swept

_POLL_S = 5.0


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to a cloud.

    Attributes:
        title: what is searched for, in the plural, such as `volumes`.
        find: identifiers of what is there; it may take pages and raises the SDK's own errors.
    """

    title: str
    find: Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How questions are asked.

    Attributes:
        errors: what the SDK raises when the cloud refuses or does not answer; their text says why.
        kept: names of what is there on purpose.
        patience_s: how long what is found may take to go: clouds tell of what is gone for a while.
    """

    errors: tuple[type[Exception], ...]
    kept: frozenset[str] = frozenset()
    patience_s: float = 0.0
    poll_s: float = field(default=_POLL_S)

    def run(self, probes: Sequence[Probe]) -> Swept:
        """Ask everything, and again what found something while patience lasts.

        A question that could not be answered is told as such: nobody may take it for an empty answer.
        """
        deadline = time.monotonic() + self.patience_s
        found, refused = self._ask(probes)
        while found and time.monotonic() < deadline:
            time.sleep(self.poll_s)
            again, refused_again = self._ask([probe for probe in probes if probe.title in found])
            found, refused = again, refused | refused_again
        leftovers = _without_doubles([(title, name) for title, names in found.items() for name in names])
        clean = [probe.title for probe in probes if probe.title not in found and probe.title not in refused]
        return Swept(
            checked=(f"no {', '.join(clean)}",) if clean else (),
            leftovers=leftovers,
            unchecked=tuple(f"{title}: {reason}" for title, reason in refused.items()),
        )

    def _ask(self, probes: Sequence[Probe]) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """What each question found, and why others were refused, by title."""
        found, refused = {}, {}
        for probe in probes:
            names: list[str] = []
            try:
                names += probe.find()
            except self.errors as error:
                refused[probe.title] = " ".join(str(error).split()) or type(error).__name__
            here = tuple(sorted(name for name in names if not is_kept(name, self.kept)))
            if here:
                found[probe.title] = here
        return found, refused


def is_kept(name: str, kept: frozenset[str]) -> bool:
    """Whether it is there on purpose: by its whole name, or by the last part of a long one."""
    return name in kept or last_part(name) in kept


def last_part(name: str) -> str:
    """Such as `vol-1` of `arn:aws:ec2:eu-west-1:1:volume/vol-1`."""
    return name.rstrip("/").rpartition("/")[2].rpartition(":")[2]


def _without_doubles(found: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """One line for each; what two questions found is told once, by the first."""
    seen: set[str] = set()
    lines = []
    for title, name in found:
        if last_part(name) not in seen:
            lines.append(f"{title}: {name}")
        seen.add(last_part(name))
    return tuple(lines)

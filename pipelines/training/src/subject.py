"""What is checked, against what, and how the outcome of a check is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from columns import FEATURE_KINDS, detect_task
from step import some

PASSED, WARNING, FAILED, SKIPPED = "passed", "warning", "failed", "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What is still acceptable; fractions are from 0 to 1."""

    min_rows: int = 50
    max_null_fraction: float = 0.1
    max_duplicate_fraction: float = 0.1
    min_class_fraction: float = 0.05
    max_leakage: float = 0.995
    max_psi: float = 0.25
    max_ks: float = 0.3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (rows count from 1, the header is none) and what."""

    message: str
    column: str | None = None
    rows: tuple[int, ...] = ()

    def text(self) -> str:
        """Message and rows in one line."""
        places = f" (row{'s' if len(self.rows) > 1 else ''} {some(self.rows)})" if self.rows else ""
        return self.message + places


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check; `note` says what was looked at."""

    name: str
    status: str
    note: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is checked: the rows, what is known of their columns, and what they are compared with."""

    frame: pd.DataFrame
    kinds: Mapping[str, str]
    target: str
    task: str = "auto"
    thresholds: Thresholds = Thresholds()
    schema: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reference: Mapping[str, Any] | None = None

    @cached_property
    def resolved_task(self) -> str | None:
        """Classification or regression; None without a target that could tell."""
        if self.kinds.get(self.target) not in FEATURE_KINDS:
            return None
        return self.task if self.task != "auto" else detect_task(self.frame[self.target], self.kinds[self.target])

    def of_kind(self, *kinds: str) -> Iterator[tuple[str, pd.Series]]:
        """Columns of these kinds with their names."""
        return ((name, self.frame[name]) for name, kind in self.kinds.items() if kind in kinds)


def verdict(name: str, note: str, findings: Iterator[Finding], *, bad: str = FAILED) -> Check:
    """Passed when there are no findings."""
    found = tuple(findings)
    return Check(name, bad if found else PASSED, note, found)


def rows_of(mask: Any) -> tuple[int, ...]:
    """The numbers of the rows that a mask selects, from 1."""
    return tuple((np.flatnonzero(np.asarray(mask, dtype=bool)) + 1).tolist())

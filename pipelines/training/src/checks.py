"""The checks a data set has to pass before anything is trained on it; each says which rows and columns are wrong."""

from __future__ import annotations

from collections.abc import Callable

import column_checks
import target_checks
from subject import Check, Subject

_CHECKS: tuple[Callable[[Subject], Check], ...] = (
    column_checks.row_count,
    target_checks.target,
    column_checks.column_names,
    column_checks.column_types,
    column_checks.missing_values,
    column_checks.finite_values,
    column_checks.ranges,
    column_checks.duplicates,
    target_checks.target_values,
    column_checks.informative_columns,
    target_checks.leakage,
    column_checks.drift,
)


def run_checks(subject: Subject) -> tuple[Check, ...]:
    """Every check, in the order people read them; a failed one stops none of the others."""
    return tuple(check(subject) for check in _CHECKS)

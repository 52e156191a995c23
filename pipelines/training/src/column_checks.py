"""Checks of all columns and rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from columns import DATE, EMPTY, FEATURE_KINDS, NESTED, NUMERIC, TEXT, UNUSABLE, numeric_values
from drift import measure_drift
from step import count, did_you_mean, some
from subject import FAILED, PASSED, SKIPPED, WARNING, Check, Finding, Subject, rows_of, verdict

_MOSTLY = 0.5
"""A text column in which more than this share are numbers is a numeric column with text in it."""


def row_count(subject: Subject) -> Check:
    """Enough rows to train and to test."""
    rows, least = len(subject.frame), subject.thresholds.min_rows
    findings = [Finding(f"{count(rows, 'row')}, at least {least} are needed")] if rows < least else []
    return verdict("row count", f"{count(rows, 'row')}, at least {least}", iter(findings))


def column_names(subject: Subject) -> Check:
    """The columns that the schema, or else the reference, expects."""
    expected = _expected_columns(subject)
    if expected is None:
        return Check("column names", PASSED, f"{count(len(subject.kinds), 'column')}, each with a name of its own")
    return verdict("column names", f"the {len(expected)} expected columns", _name_findings(subject, expected))


def _expected_columns(subject: Subject) -> tuple[str, ...] | None:
    if subject.schema:
        return tuple(subject.schema)
    return tuple(subject.reference["columns"]) if subject.reference else None


def _name_findings(subject: Subject, expected: tuple[str, ...]) -> Iterator[Finding]:
    extra = [name for name in subject.kinds if name not in expected]
    for name in expected:
        if name not in subject.kinds:
            yield Finding(f"column '{name}' is missing{did_you_mean(name, extra)}", name)
    # A schema may speak of some columns only; a reference has seen them all.
    for name in [] if subject.schema else extra:
        if subject.kinds[name] in (*FEATURE_KINDS, EMPTY):
            yield Finding(f"column '{name}' is not expected{did_you_mean(name, expected)}", name)


def column_types(subject: Subject) -> Check:
    """Every column is of a kind that can be learned from, and nothing but that."""
    kinds = list(subject.kinds.values())
    shown = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return verdict("column types", shown, _type_findings(subject))


def _type_findings(subject: Subject) -> Iterator[Finding]:
    for name, kind in subject.kinds.items():
        wanted = _wanted_kind(subject, name)
        if kind in (DATE, NESTED) and name != subject.target:
            yield Finding(f"column '{name}' holds {UNUSABLE[kind]}; leave it out with drop-columns", name)
        elif kind == TEXT and wanted in (None, NUMERIC):
            yield from _text_in_numbers(name, subject.frame[name], must_be_numeric=wanted == NUMERIC)
        elif wanted not in (None, kind, EMPTY) and kind != EMPTY:
            yield Finding(f"column '{name}' is {kind}, expected {wanted}", name)


def _wanted_kind(subject: Subject, name: str) -> str | None:
    if name in subject.schema:
        return subject.schema[name].get("type")
    return subject.reference["columns"].get(name, {}).get("kind") if subject.reference else None


def _text_in_numbers(name: str, series: pd.Series, *, must_be_numeric: bool) -> Iterator[Finding]:
    numbers = pd.to_numeric(series, errors="coerce")
    present, text = series.notna(), series.notna() & numbers.isna()
    if not present.any() or not (must_be_numeric or text.sum() < _MOSTLY * present.sum()):
        return
    if not text.any():
        yield Finding(f"column '{name}' holds numbers that are stored as text", name)
        return
    values = some([repr(value) for value in series[text].unique()], limit=3)
    yield Finding(
        f"numeric column '{name}' holds text in {count(int(text.sum()), 'row')}: {values}", name, rows_of(text)
    )


def missing_values(subject: Subject) -> Check:
    """Not too many missing values per column."""
    most = subject.thresholds.max_null_fraction
    return verdict("missing values", f"at most {most:.0%} per column", _missing_findings(subject, most))


def _missing_findings(subject: Subject, most: float) -> Iterator[Finding]:
    for name in subject.kinds:
        missing = subject.frame[name].isna()
        allowed = 0.0 if subject.schema.get(name, {}).get("nullable") is False else most
        if name != subject.target and missing.mean() > allowed:
            share = f"{missing.sum()} of {len(missing)} values ({missing.mean():.0%}, allowed {allowed:.0%})"
            yield Finding(f"column '{name}' lacks {share}", name, rows_of(missing))


def finite_values(subject: Subject) -> Check:
    """No infinite numbers."""
    return verdict("finite values", "no infinite numbers", _infinite_findings(subject))


def _infinite_findings(subject: Subject) -> Iterator[Finding]:
    for name, series in subject.of_kind(NUMERIC):
        infinite = np.isinf(numeric_values(series))
        if infinite.any():
            yield Finding(
                f"column '{name}' is infinite in {count(int(infinite.sum()), 'row')}", name, rows_of(infinite)
            )


def ranges(subject: Subject) -> Check:
    """All values within the limits that the schema sets."""
    bounded = [name for name, rule in subject.schema.items() if {"min", "max", "values"} & set(rule)]
    note = f"{count(len(bounded), 'column')} with limits" if bounded else "the schema sets no limits"
    return verdict("ranges", note, _range_findings(subject, bounded))


def _range_findings(subject: Subject, bounded: list[str]) -> Iterator[Finding]:
    for name in (name for name in bounded if name in subject.kinds):
        rule, series = subject.schema[name], subject.frame[name]
        if subject.kinds[name] == NUMERIC:
            values = numeric_values(series)
            yield from _outside(name, values < rule.get("min", -np.inf), f"below {rule.get('min')}")
            yield from _outside(name, values > rule.get("max", np.inf), f"above {rule.get('max')}")
        if "values" in rule:
            strange = series.notna() & ~series.isin(rule["values"])
            yield from _outside(name, strange, f"not one of {some(rule['values'])}")


def _outside(name: str, mask: Any, what: str) -> Iterator[Finding]:
    if mask.any():
        yield Finding(f"column '{name}' is {what} in {count(int(mask.sum()), 'row')}", name, rows_of(mask))


def duplicates(subject: Subject) -> Check:
    """Not too many rows that repeat an earlier one."""
    most = subject.thresholds.max_duplicate_fraction
    plain = subject.frame[[name for name, kind in subject.kinds.items() if kind != NESTED]]
    repeated = plain.duplicated()
    note = f"{count(int(repeated.sum()), 'row')} of {len(repeated)} repeat another, at most {most:.0%}"
    if repeated.mean() <= most:
        return Check("duplicate rows", PASSED, note)
    message = f"{count(int(repeated.sum()), 'row')} of {len(repeated)} ({repeated.mean():.0%}, allowed {most:.0%})"
    finding = Finding(f"{message} repeat an earlier row", rows=rows_of(repeated))
    return Check("duplicate rows", FAILED, note, (finding,))


def informative_columns(subject: Subject) -> Check:
    """Columns that cannot tell anything; a warning only."""
    return verdict("informative columns", "no column is constant or a key", _idle_findings(subject), bad=WARNING)


def _idle_findings(subject: Subject) -> Iterator[Finding]:
    for name, series in subject.of_kind(*FEATURE_KINDS, EMPTY):
        if name == subject.target:
            continue
        distinct = series.nunique()
        if distinct <= 1:
            yield Finding(f"column '{name}' never changes", name)
        elif subject.kinds[name] == TEXT and distinct == len(series):
            yield Finding(f"every value of text column '{name}' is unique, as in a key", name)


def drift(subject: Subject) -> Check:
    """The columns are distributed as in the reference."""
    if subject.reference is None:
        return Check("drift", SKIPPED, "no reference profile")
    limits = subject.thresholds
    note = f"PSI at most {limits.max_psi:g}, KS at most {limits.max_ks:g}"
    return verdict("drift", note, _drift_findings(subject))


def _drift_findings(subject: Subject) -> Iterator[Finding]:
    limits = subject.thresholds
    for drift in measure_drift(subject.frame, subject.reference or {}):
        moved = []
        if drift.psi > limits.max_psi:
            moved.append(f"PSI {drift.psi:.2f} (allowed {limits.max_psi:g})")
        if drift.ks is not None and drift.ks > limits.max_ks:
            moved.append(f"KS {drift.ks:.2f} (allowed {limits.max_ks:g})")
        if moved:
            yield Finding(f"column '{drift.column}' has drifted: {', '.join(moved)}", drift.column)

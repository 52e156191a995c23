"""Checks of the column that is to be predicted."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from columns import BOOLEAN, CLASSIFICATION, FEATURE_KINDS, NUMERIC, TEXT, UNUSABLE, class_labels
from leakage import leakage_score
from step import count, did_you_mean, some
from subject import SKIPPED, Check, Finding, Subject, rows_of, verdict

_LEAST_VALUES = 2
"""Classes that can be told apart, and rows of a class: one for training and one for the test."""


def target(subject: Subject) -> Check:
    """The target exists, is of a usable kind, and is known in every row."""
    return verdict("target", f"column '{subject.target}' is there and complete", _target_findings(subject))


def _target_findings(subject: Subject) -> Iterator[Finding]:
    name = subject.target
    if name not in subject.kinds:
        yield Finding(f"no column '{name}'{did_you_mean(name, subject.kinds)}", name)
        return
    if subject.kinds[name] not in FEATURE_KINDS:
        yield Finding(f"the target '{name}' holds {UNUSABLE[subject.kinds[name]]}", name)
    elif subject.task == "regression" and subject.kinds[name] != NUMERIC:
        yield Finding(f"the target '{name}' is {subject.kinds[name]}, a regression needs numbers", name)
    missing = subject.frame[name].isna()
    if missing.any():
        yield Finding(f"the target '{name}' is missing in {count(int(missing.sum()), 'row')}", name, rows_of(missing))
    if len(subject.kinds) == 1:
        yield Finding(f"'{name}' is the only column; there is nothing to predict it from", name)


def target_values(subject: Subject) -> Check:
    """Enough rows of every class, or a number that changes."""
    if subject.resolved_task is None:
        return Check("target values", SKIPPED, "there is no usable target")
    if subject.resolved_task == CLASSIFICATION:
        return verdict("target values", _class_note(subject), _class_findings(subject))
    values = subject.frame[subject.target].nunique()
    findings = (
        [Finding(f"the target '{subject.target}' never changes", subject.target)] if values < _LEAST_VALUES else []
    )
    return verdict("target values", f"regression, {values} distinct values", iter(findings))


def _class_counts(subject: Subject) -> pd.Series:
    labels = class_labels(subject.frame[subject.target].dropna(), subject.kinds[subject.target])
    return pd.Series(labels).value_counts()


def _class_note(subject: Subject) -> str:
    counts = _class_counts(subject)
    return f"{count(len(counts), 'class').replace('classs', 'classes')}: " + some(
        [f"{label} {number}" for label, number in counts.items()], limit=6
    )


def _class_findings(subject: Subject) -> Iterator[Finding]:
    counts, name, least = _class_counts(subject), subject.target, subject.thresholds.min_class_fraction
    if len(counts) == 1:
        yield Finding(f"the target '{name}' has one class only ('{counts.index[0]}'); nothing can be learned", name)
        return
    for label, number in counts.items():
        share = number / counts.sum()
        if number < _LEAST_VALUES or share < least:
            yield Finding(f"class '{label}' has {count(int(number), 'row')} ({share:.1%}, at least {least:.0%})", name)


def leakage(subject: Subject) -> Check:
    """No column alone tells the target."""
    most = subject.thresholds.max_leakage
    if subject.resolved_task is None:
        return Check("target leakage", SKIPPED, "there is no usable target")
    return verdict("target leakage", f"no column alone tells more than {most:g} of the target", _leaks(subject, most))


def _leaks(subject: Subject, most: float) -> Iterator[Finding]:
    target = subject.frame[subject.target]
    if target.nunique() < _LEAST_VALUES or (
        subject.resolved_task != CLASSIFICATION and subject.kinds[subject.target] != NUMERIC
    ):
        return
    for name, series in subject.of_kind(NUMERIC, TEXT, BOOLEAN):
        if name == subject.target:
            continue
        score = leakage_score(series, subject.kinds[name], target, subject.resolved_task or "")
        if score > most:
            message = (
                f"column '{name}' alone tells {score:.1%} of '{subject.target}'; drop it, or allow it with max-leakage"
            )
            yield Finding(message, name)

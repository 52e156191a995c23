"""The validation report: one HTML page for people, with nothing from elsewhere in it, and JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from step import count, some
from subject import FAILED, PASSED, SKIPPED, WARNING, Check

_MARKS = {PASSED: "✓", WARNING: "!", FAILED: "✗", SKIPPED: "·"}
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --faint: #667; --line: #d8dbe0; --card: #f6f7f9; --page: #fff;
  --passed: #17803d; --warning: #a15c00; --failed: #c02626; --skipped: #667; --bar: #5b8def }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --faint: #9aa3af; --line: #363b43; --card: #20242a;
  --page: #15181c; --passed: #4cc774; --warning: #e6a23c; --failed: #ff7b72; --skipped: #9aa3af; --bar: #7aa5f5 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .7rem .4rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top } th { color: var(--faint); font-weight: 500 }
td.number { font-variant-numeric: tabular-nums; text-align: right } code { overflow-wrap: anywhere }
.verdict { background: var(--card); border-left: .3rem solid; padding: .7rem 1rem; border-radius: .2rem }
.passed { color: var(--passed) } .warning { color: var(--warning) } .failed { color: var(--failed) }
.skipped { color: var(--skipped) } .faint { color: var(--faint) } ul { margin: .2rem 0; padding-left: 1.2rem }
svg { display: block } rect { fill: var(--bar) }
"""
_BAR_WIDTH, _BAR_HEIGHT = 12, 28


def as_json(checks: Sequence[Check], profile: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The report for machines; rows count from 1."""
    return {
        "format": 1,
        "passed": not any(check.status == FAILED for check in checks),
        "source": metadata["source"],
        "sha256": metadata["sha256"],
        "rows": metadata["rows"],
        "target": profile["target"],
        "checks": [_check_json(check) for check in checks],
    }


def as_html(checks: Sequence[Check], profile: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """The report for people: the verdict, every check with its findings, every column with its distribution."""
    title = f"Data validation: {escape(metadata['source'])}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
{_verdict(checks)}
<p class="faint">{_facts(profile, metadata)}</p>
<h2>Checks</h2>
<table><tr><th></th><th>check</th><th>outcome</th></tr>
{"".join(_check_row(check) for check in checks)}</table>
<h2>Columns</h2>
<table><tr><th>column</th><th>kind</th><th>missing</th><th>distinct</th><th>values</th><th>distribution</th></tr>
{"".join(_column_row(name, column, profile) for name, column in profile["columns"].items())}</table>
<p class="faint">Rows count from 1, without the header.</p>
</body></html>
"""


def conclusion(checks: Sequence[Check]) -> str:
    """How many checks failed, or passed, in words."""
    failed, warned, passed = (_count(checks, status) for status in (FAILED, WARNING, PASSED))
    if failed:
        return f"{failed} of {failed + warned + passed} checks failed"
    warnings = f", {count(warned, 'warning')}" if warned else ""
    return f"{count(passed + warned, 'check')} passed{warnings}"


def _count(checks: Sequence[Check], status: str) -> int:
    return sum(check.status == status for check in checks)


def _check_json(check: Check) -> dict[str, Any]:
    findings = [
        {"column": finding.column, "message": finding.message, "rows": list(finding.rows)} for finding in check.findings
    ]
    return {"name": check.name, "status": check.status, "note": check.note, "findings": findings}


def _verdict(checks: Sequence[Check]) -> str:
    status = FAILED if _count(checks, FAILED) else PASSED
    consequence = "the run was stopped here" if status == FAILED else "the data may be used"
    return f'<p class="verdict {status}"><strong>{escape(conclusion(checks))}</strong>: {consequence}.</p>'


def _facts(profile: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    size = f"{count(metadata['rows'], 'row')}, {count(len(metadata['columns']), 'column')}, target "
    return f"{size}<code>{escape(profile['target'])}</code>, sha256 <code>{metadata['sha256']}</code>"


def _check_row(check: Check) -> str:
    mark = f'<td class="{check.status}" title="{check.status}">{_MARKS[check.status]}</td>'
    items = "".join(f"<li>{escape(finding.message)}{_row_list(finding.rows)}</li>" for finding in check.findings)
    details = f"<ul>{items}</ul>" if items else ""
    outcome = "" if check.status == FAILED else f'<span class="faint">{escape(check.note)}</span>'
    return f"<tr>{mark}<td>{escape(check.name)}</td><td>{outcome}{details}</td></tr>\n"


def _row_list(rows: Sequence[int]) -> str:
    return f'<br><span class="faint">rows {some(rows, limit=200)}</span>' if rows else ""


def _column_row(name: str, column: Mapping[str, Any], profile: Mapping[str, Any]) -> str:
    share = column["nulls"] / profile["rows"]
    target = ' <span class="faint">target</span>' if name == profile["target"] else ""
    cells = (
        f"<td><code>{escape(name)}</code>{target}</td><td>{column['kind']}</td>"
        f'<td class="number">{column["nulls"]} ({share:.1%})</td><td class="number">{column["distinct"]}</td>'
    )
    return f"<tr>{cells}<td>{escape(_values(column))}</td><td>{_histogram(column['counts'])}</td></tr>\n"


def _values(column: Mapping[str, Any]) -> str:
    if "mean" in column:
        return f"{column['min']:g} … {column['max']:g}, mean {column['mean']:.4g} ± {column['std']:.3g}"
    return some(column.get("categories", []), limit=5)


def _histogram(counts: Sequence[int]) -> str:
    highest = max(counts, default=0)
    if not highest:
        return ""
    bars = "".join(_bar(at, number, highest) for at, number in enumerate(counts))
    size = f'width="{len(counts) * _BAR_WIDTH}" height="{_BAR_HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{escape(some(counts, limit=60))}">{bars}</svg>'


def _bar(at: int, number: int, highest: int) -> str:
    height = max(round(number / highest * _BAR_HEIGHT), 1 if number else 0)
    place = f'x="{at * _BAR_WIDTH}" y="{_BAR_HEIGHT - height}" width="{_BAR_WIDTH - 2}" height="{height}"'
    return f"<rect {place}><title>{number}</title></rect>"

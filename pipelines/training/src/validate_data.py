"""Step 2: stop the run when the data is not fit for training, and say which rows and columns are not."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import step

if TYPE_CHECKING:
    from subject import Check

_RULES = {"type": str, "min": (int, float), "max": (int, float), "values": list, "nullable": bool}
_TYPES = ("numeric", "text", "boolean")
_LARGEST_PROFILE = 50_000_000


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step on command line arguments; `step.StepError` says why it failed."""
    arguments = _parser().parse_args(argv)
    schema = parse_schema(arguments.schema)
    import checks

    metadata = step.read_json(arguments.metadata)
    subject = _subject(arguments, schema)
    outcome = checks.run_checks(subject)
    _write_reports(arguments, outcome, subject, metadata)
    for check in outcome:
        step.log(f"{check.status:8}{check.name}: {check.note}")
        for finding in check.findings:
            step.log(f"          {finding.text()}")
    _conclude(arguments, outcome)


def parse_schema(text: str) -> Mapping[str, Mapping[str, Any]]:
    """The rules per column that the parameter `schema` holds.

    Raises:
        ParameterError: not JSON, an unknown rule, or a value of the wrong type.
    """
    schema = step.parse_json_object(text, "schema")
    for column, rules in schema.items():
        if not isinstance(rules, dict):
            raise step.ParameterError(f'schema: {column}: expected rules such as {{"type": "numeric"}}')
        for rule, value in rules.items():
            _check_rule(f"schema: {column}: ", rule, value)
    return schema


def _check_rule(where: str, rule: str, value: object) -> None:
    if rule not in _RULES:
        raise step.ParameterError(f"{where}no rule '{rule}'{step.did_you_mean(rule, _RULES)}")
    is_number_rule = rule in ("min", "max")
    if not isinstance(value, _RULES[rule]) or (is_number_rule and isinstance(value, bool)):
        raise step.ParameterError(f"{where}{rule}: {json.dumps(value)} is not of the right type")
    if rule == "type" and value not in _TYPES:
        close = step.did_you_mean(str(value), _TYPES)
        raise step.ParameterError(f"{where}type: '{value}' is not one of {', '.join(_TYPES)}{close}")


def _subject(arguments: argparse.Namespace, schema: Mapping[str, Mapping[str, Any]]) -> Any:
    from columns import column_kinds, to_frame
    from dataset import read_table
    from subject import Subject, Thresholds

    table = read_table(arguments.dataset)
    return Subject(
        frame=to_frame(table),
        kinds=column_kinds(table),
        target=arguments.target_column,
        task=arguments.task,
        thresholds=Thresholds(**{field.name: getattr(arguments, field.name) for field in fields(Thresholds)}),
        schema=schema,
        reference=_read_reference(arguments.reference_profile),
    )


def _read_reference(source: str) -> Mapping[str, Any] | None:
    if not source.strip():
        return None
    from drift import check_reference
    from sources import public_name, read_source

    (file, *_) = read_source(source, max_bytes=_LARGEST_PROFILE)
    try:
        content = json.loads(file.content)
    except ValueError as error:
        raise step.ParameterError(f"reference-profile: {public_name(source)} is not JSON: {error}") from None
    return check_reference(content, public_name(source))


def _write_reports(
    arguments: argparse.Namespace,
    outcome: Sequence[Check],
    subject: Any,
    metadata: Mapping[str, Any],
) -> None:
    import report
    from data_profile import profile

    of_data = profile(subject.frame, subject.kinds, target=subject.target, sha256=metadata["sha256"])
    step.write_json(arguments.profile, of_data)
    step.write_json(arguments.report_json, report.as_json(outcome, of_data, metadata))
    step.write_text(arguments.report, report.as_html(outcome, of_data, metadata))


def _conclude(arguments: argparse.Namespace, outcome: Sequence[Check]) -> None:
    from report import conclusion

    findings = [finding for check in outcome if check.status == "failed" for finding in check.findings]
    summary = f"{conclusion(outcome)}, report {arguments.report.name}"
    step.finish(summary, arguments.summary)
    if findings:
        reasons = "; ".join(finding.text() for finding in findings[:3])
        more = f"; and {len(findings) - 3} more in {arguments.report.name}" if findings[3:] else ""
        raise step.DataRefusedError(f"{conclusion(outcome)}: {reasons}{more}")


def _parser() -> step.Arguments:
    parser = step.Arguments(prog="validate_data.py", description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="Parquet file of load_data.py")
    parser.add_argument("--metadata", type=Path, required=True, help="JSON file of load_data.py")
    parser.add_argument("--target-column", required=True, help="the column to predict")
    parser.add_argument("--task", choices=("auto", "classification", "regression"), default="auto")
    parser.add_argument("--min-rows", type=step.whole, default=50)
    for name, default in (("max-null", 0.1), ("max-duplicate", 0.1), ("min-class", 0.05)):
        parser.add_argument(f"--{name}-fraction", type=step.fraction, default=default)
    parser.add_argument("--max-leakage", type=step.fraction, default=0.995)
    parser.add_argument("--max-psi", type=step.real, default=0.25)
    parser.add_argument("--max-ks", type=step.fraction, default=0.3)
    parser.add_argument("--schema", default="{}", help="JSON: rules per column")
    parser.add_argument("--reference-profile", default="", help="path or URL of an earlier data profile")
    parser.add_argument("--report", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--report-json", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--profile", type=Path, required=True, help="JSON file to write: this data as a reference")
    parser.add_argument("--summary", type=Path, help="text file to write: one line for people")
    return parser


if __name__ == "__main__":
    step.run(main)

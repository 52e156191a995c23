"""Workflow files: reading them with their lines, and the typed model, held against Argo's own CRDs where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect as shape

from platform_cli.errors import LintError
from platform_cli.workflow.model import CronSpec, Spec, parse
from platform_cli.workflow.model import inspect as inspect_manifest
from platform_cli.workflow.model_text import any_string
from platform_cli.workflow.source import MAX_BYTES, Manifest, load_manifests, parse_manifests

ROOT = Path(__file__).resolve().parent.parent
CRDS = ROOT.parent / "shared" / "crds" / "argo-workflows-v4.0.10-full"
untimed = settings(deadline=None)
WORKFLOW = """apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: sample}
spec:
  entrypoint: main
  templates:
    - name: main
      container:
        image: python:3.12
        command: [python]
"""


def load(path: Path, content: bytes | str) -> tuple[Manifest, ...]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_manifests(path)


def data_of(text: str) -> dict[str, Any]:
    (manifest,) = parse_manifests(text, "here.yaml")
    return manifest.data


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("# only a comment\n---\n", "the file is empty"),
        (b"a: \xff\n", ":1: not UTF-8 text"),
        ("a: [1\n", "not YAML"),
        ("a: \x01\n", "not YAML"),
        ("a: " + "x" * MAX_BYTES, "larger than 5 MiB"),
        ("a: &a [*a]\n", "too deep or too many values"),
        ("a:\n" + "\n".join(" " * (n + 1) + "a:" for n in range(500)), "too deep or too many values"),
    ],
    ids=["empty", "comment", "not-utf8", "not-yaml", "control", "huge", "recursive-alias", "deep"],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(LintError, match=message) as caught:
        load(tmp_path / "ümläut and space.yaml", content)
    assert "ümläut and space.yaml" in caught.value.message
    assert caught.value.hint


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(LintError, match="too many values"):
        parse_manifests("\n".join(lines), "laughs.yaml")


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LintError, match="no such file"):
        load_manifests(tmp_path / "nowhere.yaml")
    with pytest.raises(LintError, match="is a directory"):
        load_manifests(tmp_path)


def test_every_duplicate_key_is_listed_with_both_lines() -> None:
    with pytest.raises(LintError) as caught:
        parse_manifests("a: 1\nb: {c: 1,\n    c: 2}\na: 3\n", "twice.yaml")
    assert caught.value.details == (
        "twice.yaml:3:5: b.c: this key is here twice (the first is on line 2; a cluster would keep only one of them)",
        "twice.yaml:4:1: a: this key is here twice (the first is on line 1; a cluster would keep only one of them)",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "is not a mapping"),
        ("just text\n", "is not a mapping"),
        ("? [a]\n: b\n", "a key must be plain text"),
        ("a: !secret x\n", "the YAML tag !secret has no place"),
        ("a: !!int x\n", "is not what its YAML tag says"),
        ("<<: [1]\na: 2\n", "merges mappings only"),
    ],
)
def test_what_a_manifest_cannot_hold_is_refused(text: str, message: str) -> None:
    with pytest.raises(LintError) as caught:
        parse_manifests(text, "odd.yaml")
    assert message in caught.value.details[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-02", "2024-01-02"),
        ("12:30:45", "12:30:45"),
        ("yes", True),
        ("n", False),
        ("off", False),
        ("0644", 0o644),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+7", 7),
        ('"1e3"', "1e3"),
        ("1.2.3", "1.2.3"),
        ("{{x}}", None),
    ],
)
def test_plain_scalars_mean_what_they_mean_on_a_cluster(text: str, value: object) -> None:
    if value is None:
        with pytest.raises(LintError):
            data_of(f"a: {text}\n")
        return
    found = data_of(f"a: {text}\n")["a"]
    assert (found, type(found)) == (value, type(value))


def test_null_members_count_as_absent_and_merges_give_way() -> None:
    assert data_of("a:\nb: ~\nc: 1\n") == {"c": 1}
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3}\nz: {<<: [*x, *y], c: 4, a: 5}\n"
    assert data_of(text)["z"] == {"a": 5, "b": 2, "c": 4}


def test_json_is_read_too() -> None:
    assert data_of('{"a": {"b": [1, "two"]}}') == {"a": {"b": [1, "two"]}}


def test_places_are_found_as_deep_as_they_exist() -> None:
    (manifest,) = parse_manifests(WORKFLOW, "here.yaml")
    assert manifest.locate(("spec", "entrypoint")) == (5, 3)
    assert manifest.locate(("spec", "templates", 0)) == (7, 7)
    assert manifest.locate(("spec", "templates", 0, "container", "image")) == (9, 9)
    assert manifest.locate(("spec", "templates", 0, "container", "missing", "more")) == (8, 7)
    assert manifest.locate(("spec", "templates", 7)) == (6, 3)
    assert manifest.locate(()) == (1, 1)


# Without control characters and line ends of Unicode, which YAML folds or refuses.
letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Cs", "Zl", "Zp"])
words = st.text(alphabet=letters, max_size=12)
finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | words | finite,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@untimed
@given(st.dictionaries(words, plain, min_size=1, max_size=4))
def test_what_was_written_is_what_is_read(value: dict[str, Any]) -> None:
    assert data_of(msgspec.json.encode(value).decode()) == value


@untimed
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_data_or_a_clear_refusal(text: str) -> None:
    try:
        manifests = parse_manifests(text, "any.yaml")
    except LintError as error:
        assert error.message.startswith("any.yaml")
    else:
        assert all(isinstance(manifest.data, dict) for manifest in manifests)


# --- the model ------------------------------------------------------------------------------------------------------


def test_a_workflow_becomes_values() -> None:
    (manifest,) = parse_manifests(WORKFLOW, "here.yaml")
    workflow = parse(manifest)
    assert workflow.metadata.name == "sample"
    assert workflow.spec.templates[0].kind == "container"
    assert workflow.spec.templates[0].container is not None
    assert workflow.spec.templates[0].container.command == ("python",)
    with pytest.raises(AttributeError):
        workflow.spec = Spec()  # type: ignore[misc]


def test_values_become_the_same_manifest_again() -> None:
    (manifest,) = load_manifests(ROOT / "pipelines" / "training" / "ml-training-workflow.yaml")
    workflow = parse(manifest)
    assert msgspec.json.decode(msgspec.json.encode(workflow), type=type(workflow)) == workflow
    plain = msgspec.json.decode(msgspec.json.encode(workflow))
    assert plain["spec"]["templates"] == manifest.data["spec"]["templates"]


def test_a_cron_workflow_is_read_but_not_run() -> None:
    text = WORKFLOW.replace("kind: WorkflowTemplate", "kind: CronWorkflow").replace(
        "spec:\n", 'spec:\n  schedules: ["0 3 * * *"]\n  workflowSpec:\n'
    )
    body, _, rest = text.partition("  workflowSpec:\n")
    (manifest,) = parse_manifests(
        body + "  workflowSpec:\n" + "".join(f"  {line}\n" for line in rest.splitlines()), "cron.yaml"
    )
    parsed, found = inspect_manifest(manifest)
    assert found == ()
    assert parsed is not None
    with pytest.raises(LintError, match="1 problem") as caught:
        parse(manifest)
    assert "cannot be run directly" in caught.value.details[0]


def test_every_problem_is_reported_at_once() -> None:
    text = (
        WORKFLOW.replace("entrypoint", "entrypont")
        .replace("image: python:3.12", "image: 3.12")
        .replace("command", "comand")
    )
    (manifest,) = parse_manifests(text, "three.yaml")
    with pytest.raises(LintError) as caught:
        parse(manifest)
    assert [line.split(": ", 1)[0] for line in caught.value.details] == [
        "three.yaml:5:3",
        "three.yaml:9:9",
        "three.yaml:10:9",
    ]
    assert "3 problems" in caught.value.message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (0.5, "0.5"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (True, "true"),
        (False, "false"),
        (-0.25, "-0.25"),
        ("1.0", "1.0"),
    ],
)
def test_parameters_are_text_as_argo_makes_it(value: object, text: str) -> None:
    assert any_string(value) == text


def test_an_unquoted_parameter_is_taken_as_text_with_a_warning() -> None:
    text = WORKFLOW.replace(
        "  templates:", "  arguments: {parameters: [{name: rate, value: 0.50, enum: [0.5, 1]}]}\n  templates:"
    )
    (manifest,) = parse_manifests(text, "rate.yaml")
    parsed, found = inspect_manifest(manifest)
    assert parsed is not None
    assert [(finding.level, finding.field) for finding in found] == [
        ("warning", "spec.arguments.parameters[0].value"),
        ("warning", "spec.arguments.parameters[0].enum[0]"),
        ("warning", "spec.arguments.parameters[0].enum[1]"),
    ]
    parameter = parse(manifest).spec.arguments.parameters[0]
    assert (parameter.value, parameter.enum) == ("0.5", ("0.5", "1"))


def test_items_of_a_loop_keep_their_types() -> None:
    task = "{name: a, template: b, withItems: [1, true, {parameters: [{value: 2}]}]}"
    text = WORKFLOW.replace(
        "      container:\n        image: python:3.12\n        command: [python]\n", f"      dag: {{tasks: [{task}]}}\n"
    )
    (manifest,) = parse_manifests(text, "items.yaml")
    dag = parse(manifest).spec.templates[0].dag
    assert dag is not None
    assert dag.tasks[0].with_items == (1, True, {"parameters": [{"value": 2}]})


# --- the model against the CRDs -------------------------------------------------------------------------------------


def crd_spec(name: str) -> dict[str, Any]:
    path = CRDS / f"argoproj.io_{name}.yaml"
    if not path.exists():
        pytest.skip(f"Argo's CRDs are not beside the repository ({path.name})")
    document = yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schema: dict[str, Any] = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def strangers(kind: shape.Type, schema: dict[str, Any], path: str, seen: frozenset[type]) -> list[str]:
    """Fields of the model that the schema does not have."""
    if "x-kubernetes-preserve-unknown-fields" in schema or "x-kubernetes-int-or-string" in schema:
        return []
    if isinstance(kind, shape.UnionType):
        return [found for option in kind.types for found in strangers(option, schema, path, seen)]
    if isinstance(kind, (shape.VarTupleType, shape.ListType)):
        return (
            strangers(kind.item_type, schema["items"], f"{path}[]", seen)
            if "items" in schema
            else [f"{path} is no list"]
        )
    if isinstance(kind, shape.DictType):
        inner = schema.get("additionalProperties")
        return strangers(kind.value_type, inner, f"{path}{{}}", seen) if isinstance(inner, dict) else []
    if not isinstance(kind, shape.StructType) or kind.cls in seen:
        return []
    known, found = schema.get("properties", {}), []
    for field in kind.fields:
        here = f"{path}.{field.encode_name}"
        if field.encode_name in known:
            found += strangers(field.type, known[field.encode_name], here, seen | {kind.cls})
        elif path.rpartition(".")[2] != "metadata":
            found.append(here)
    return found


@pytest.mark.parametrize(
    ("crd", "model"),
    [("workflows", Spec), ("workflowtemplates", Spec), ("clusterworkflowtemplates", Spec), ("cronworkflows", CronSpec)],
)
def test_the_model_accepts_only_fields_that_argo_has(crd: str, model: type) -> None:
    assert strangers(shape.type_info(model), crd_spec(crd), "spec", frozenset()) == []


def test_every_field_of_argo_is_accepted_or_refused_by_name() -> None:
    """An unknown field gets a suggestion; a known one that we do not take gets the reason."""
    from platform_cli.workflow.model_refused import REFUSED
    from platform_cli.workflow.model_template import Template

    template = crd_spec("workflows")["properties"]["templates"]["items"]["properties"]
    accepted = {field.encode_name for field in msgspec.inspect.type_info(Template).fields}  # type: ignore[union-attr]
    refused = {field for owner, field in REFUSED if owner == "Template"}
    assert set(template) - accepted - refused == set()

"""Expressions, conditions and substitution: Argo's languages, held against Python's where the two agree."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from platform_cli.workflow.condition import ConditionError, check_condition, evaluate_condition
from platform_cli.workflow.expression import (
    ExpressionError,
    compile_expression,
    evaluate,
    evaluate_bool,
    expand,
)
from platform_cli.workflow.json_text import json_text
from platform_cli.workflow.model_template import Task
from platform_cli.workflow.model_value import Arguments, Parameter
from platform_cli.workflow.substitution import SubstitutionError, sole_tag, substitute, substitute_text, tags

untimed = settings(deadline=None)
ENVIRONMENT = expand(
    {
        "x": "hello",
        "n": None,
        "xs": [3, 1, 2],
        "people": [{"name": "ada", "age": 36}, {"name": "bob", "age": 20}],
        "inputs.parameters.count": "10",
        "inputs.parameters.my-name": "ada",
        "tasks.a-b.outputs.result": "7",
        "workflow.name": "run-1",
    }
)

# --- expressions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3.5),
        ("-7 % 3", -1),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("1 / 0", math.inf),
        ("'a' + \"b\" + `c\\d`", "abc\\d"),
        ("'it\\'s \\u00e9\\n'", "it's é\n"),
        ("0x1F + 0b11 + 1_000", 1034),
        ("1.5e3 + .5", 1500.5),
        ("1 < 2 < 3", True),
        ("3 > 2 == true", True),
        ("1 == 1.0", True),
        ("1 == '1'", False),
        ("true == 1", False),
        ("[1, [2]] == [1.0, [2]]", True),
        ("nil == nil", True),
        ("2 in xs && 9 not in xs", True),
        ("'name' in people[0]", True),
        ("1 in nil", False),
        ("x matches '^h.+o$' and x contains 'ell'", True),
        ("x startsWith 'he' && x endsWith 'lo' && x not contains 'z'", True),
        ("not (x == 'a') or false", True),
        ("!true || !false", True),
        ("true ? 'yes' : 'no'", "yes"),
        ("false ? 1 : true ? 2 : 3", 2),
        ("false ?: true", True),
        ("n ?? 'fallback'", "fallback"),
        ("x ?? 'fallback'", "hello"),
        ("(n ?? 1) + 1", 2),
        ("people[0].name", "ada"),
        ("people[-1]['age']", 20),
        ("people[0].missing", None),
        ("n?.a.b", None),
        ("n?.['a'] ?? 2", 2),
        ("xs[1:]", [1, 2]),
        ("xs[:-1]", [3, 1]),
        ("x[1:3]", "el"),
        ("1..3", [1, 2, 3]),
        ("3..1", []),
        ("{a: 1, 'b': [2], (x): 3}", {"a": 1, "b": [2], "hello": 3}),
        ("inputs.parameters['my-name']", "ada"),
        ("asInt(inputs.parameters.count) > 9", True),
        ("asFloat(tasks['a-b'].outputs.result) / 2", 3.5),
        ("filter(xs, # > 1)", [3, 2]),
        ("filter(people, {.age > 30})[0].name", "ada"),
        ("map(people, {#.name})", ["ada", "bob"]),
        ("map(xs, # * #index)", [0, 1, 4]),
        ("all(xs, # > 0) && any(xs, # == 2) && none(xs, # > 5) && one(xs, # == 3)", True),
        ("count(xs, # > 1) + sum(xs) + sum(people, .age)", 64),
        ("reduce(xs, #acc + #, 10)", 16),
        ("find(people, .age < 30).name", "bob"),
        ("findIndex(xs, # == 2)", 2),
        ("sortBy(people, .age)[0].name", "bob"),
        ("groupBy(xs, # > 1 ? 'big' : 'small')", {"big": [3, 2], "small": [1]}),
        ("sort(xs)", [1, 2, 3]),
        ("sort(xs, 'desc')", [3, 2, 1]),
        ("xs | map(# * 2) | sum()", 12),
        ("x | upper() | trim('O')", "HELL"),
        ("len(x) + len(xs) + len({})", 8),
        ("max(1, 2.5, [7]) + min(xs)", 8),
        ("split('a,b,c', ',') | join('-')", "a-b-c"),
        ("replace('aa', 'a', 'b')", "bb"),
        ("string(1.0) + string(true) + string([1, 'a'])", "1true[1 a]"),
        ("toJson({b: 1.0, a: [true, nil]})", '{"a":[true,null],"b":1}'),
        ('fromJSON(\'{"a": [1, 2]}\').a[1]', 2.0),
        ('jsonpath(\'{"a": {"b": [1, 2]}}\', \'$.a.b[1]\')', 2.0),
        ("toBase64('hi') + fromBase64('aGk=')", "aGk=hi"),
        ("first(xs) + last(xs)", 5),
        ("keys({a: 1}) == ['a'] && values({a: 1}) == [1]", True),
        ("type(1) + type('a') + type(nil) + type([]) + type({})", "intstringnilarraymap"),
        ("date('2024-01-02').Year()", 2024),
        ("duration('90m').Hours()", 1.5),
        ("now() > date('2020-01-01')", True),
        ("sprig.trim(' a ')", "a"),
        ("sprig.trunc(-3, 'hello')", "llo"),
        ("sprig.int('7x') + sprig.int('7')", 7),
        ("sprig.default('d', '')", "d"),
        ("sprig.dig('a', 'b', 'none', {a: {b: 1}})", 1),
        ("sprig.ternary('a', 'b', false)", "b"),
        ("sprig.regexReplaceAll('a(x*)b', '-ab-axxb-', '${1}W')", "-W-xxW-"),
        ("sprig.date('2006-01-02', date('2024-03-04'))", "2024-03-04"),
        ("sprig.div(-7, 2)", -3),
        ("1 + 2 // the rest is a comment", 3),
        ("/* a */ 4", 4),
    ],
)  # fmt: skip
def test_an_expression_has_its_value(source: str, value: object) -> None:
    found = evaluate(source, ENVIRONMENT)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "unexpected end"),
        ("1 +", "unexpected end"),
        ("(1", "unexpected end"),
        ("a b", "unexpected 'b'"),
        ("'open", "does not parse"),
        ("1 $ 2", "does not parse"),
        ("missing", "unknown name 'missing'"),
        ("missing.deep ?? 1", "unknown name 'missing'"),
        ("uper(x)", "did you mean upper()?"),
        ("sprig.trimm(x)", "did you mean sprig.trim()?"),
        ("x | foo()", "unknown function foo()"),
        ("people[0].missing.more", "cannot fetch more from nil"),
        ("xs[7]", "index out of range"),
        ("'a' + 1", "cast with asInt()"),
        ("inputs.parameters.count > 9", "cast with asInt()"),
        ("true && 1", "needs true or false"),
        ("1 ? 2 : 3", "needs true or false"),
        ("-x", "needs a number"),
        ("1 % 0", "divide by zero"),
        ("asInt('1.5')", "invalid operation"),
        ("n ?? 1 + 1", "cannot be mixed"),
        ("x matches '('", "invalid regular expression"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("1..9999999999", "more than"),
        ("repeat('a', 99999999)", "too long"),
        ("filter(xs, 1)", "needs true or false"),
        ("filter(1, true)", "needs an array"),
        ("{a}", "does not parse"),
        ("x()", "unknown function x()"),
        ("#", "has no meaning here"),
        ("len(1)", "has no length"),
        ("upper(1)", "does not work"),
        ("upper()", "does not work"),
        ("fromJSON('{')", "not JSON"),
        ("1" * 30_000, "longer than"),
    ],
)
def test_an_expression_that_does_not_work_says_why(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(source, ENVIRONMENT)
    assert message in str(caught.value)


@pytest.mark.parametrize("source", ["(" * 3000 + "1" + ")" * 3000, "!" * 5000 + "true", "[" * 2000, "-" * 9000 + "1"])
def test_deep_nesting_is_an_error_and_no_crash(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, {})


def test_conditions_may_be_wrapped_and_must_be_boolean() -> None:
    retry = expand({"lastRetry.exitCode": "3", "lastRetry.message": "deadline"})
    assert evaluate_bool('lastRetry.exitCode not in ["4"] && lastRetry.message contains "dead"', retry)
    assert evaluate_bool("{{= asInt(lastRetry.exitCode) == 3 }}", retry)
    with pytest.raises(ExpressionError, match="needs true or false"):
        evaluate_bool("lastRetry.exitCode", retry)


def test_dotted_names_become_maps_and_the_longer_ones_win() -> None:
    assert expand({"a.b.c": 1, "a.b": 2, "a.d": 3, "e": 4}) == {"a": {"b": {"c": 1}, "d": 3}, "e": 4}


@pytest.mark.parametrize(
    ("source", "required"),
    [
        ("inputs.parameters['a-b'] + item", ("inputs", "inputs.parameters", "inputs.parameters.a-b", "item")),
        ("tasks.a.outputs.result ?? 'x'", ("tasks",)),
        ("item?.name ?? 'x'", ("item",)),
        ("tasks.a?.status", ("tasks",)),
        ("map(xs, # + item)", ("map", "xs", "item")),
        ("true ? 'a' : nil", ()),
    ],
)
def test_the_names_an_expression_needs(source: str, required: tuple[str, ...]) -> None:
    assert compile_expression(source).required == required


def test_references_know_what_guards_them() -> None:
    source = "a.b.c + (d.e ?? f.g) + (h == 'x' ? i.j : 'y') + upper(k.l)"
    assert compile_expression(source).references == (
        ("a.b.c", False),
        ("d.e", True),
        ("f.g", True),
        ("h", False),
        ("i.j", True),
        ("k.l", False),
    )


def test_the_grammar_is_loaded_only_for_expressions() -> None:
    code = (
        "import sys\n"
        "from platform_cli.workflow import condition, depends, expression, lint, substitution\n"
        "assert condition.evaluate_condition(\"'a b' != c\")\n"
        "assert depends.parse_depends('a && !b.Failed').tasks == ('a', 'b')\n"
        "assert substitution.substitute_text('{{a.b}}', {'a.b': 'c'}) == 'c'\n"
        "assert 'lark' not in sys.modules, 'lark was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- expressions against Python -------------------------------------------------------------------------------------

small = st.integers(-50, 50)


def joined(operators: list[str], operand: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, operand, st.sampled_from(operators), operand)


arithmetic = st.recursive(
    small.map(lambda number: f"({number})"), lambda inner: joined(["+", "-", "*"], inner), max_leaves=12
)
flat_arithmetic = st.lists(st.integers(0, 9).map(str), min_size=2, max_size=8).flatmap(
    lambda numbers: st.lists(
        st.sampled_from([" + ", " - ", " * "]), min_size=len(numbers) - 1, max_size=len(numbers) - 1
    ).map(lambda signs: "".join(part for pair in zip(numbers, [*signs, ""], strict=True) for part in pair))
)
comparison = joined(["==", "!=", "<", "<=", ">", ">="], small.map(str))
boolean = st.recursive(
    comparison | st.sampled_from(["true", "false"]),
    lambda inner: joined(["and", "or"], inner) | inner.map("(not {})".format),
    max_leaves=10,
)
words = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


def python_value(source: str) -> Any:
    return eval(source, {"__builtins__": {}}, {"true": True, "false": False})


@untimed
@given(arithmetic | flat_arithmetic)
def test_arithmetic_is_python_s(source: str) -> None:
    assert evaluate(source, {}) == python_value(source)


@untimed
@given(boolean)
def test_logic_is_python_s(source: str) -> None:
    assert evaluate(source, {}) is python_value(source)
    assert evaluate(source.replace(" and ", " && ").replace(" or ", "||").replace("not ", "!"), {}) is python_value(
        source
    )


@untimed
@given(words, words)
def test_text_is_python_s(left: str, right: str) -> None:
    environment = {"a": left, "b": right}
    assert evaluate("a + b", environment) == left + right
    assert evaluate("a contains b", environment) is (right in left)
    assert evaluate("a < b", environment) is (left < right)
    assert evaluate("len(a)", environment) == len(left)
    assert evaluate(f"{json.dumps(left, ensure_ascii=False)} == a", environment) is True


@untimed
@given(st.lists(small, max_size=8))
def test_lists_are_python_s(values: list[int]) -> None:
    environment = {"xs": values}
    assert evaluate("map(filter(xs, # > 0), # * 2)", environment) == [value * 2 for value in values if value > 0]
    assert evaluate("sum(xs)", environment) == sum(values)
    assert evaluate("sort(xs)", environment) == sorted(values)
    assert evaluate("reverse(xs)", environment) == values[::-1]
    assert evaluate("count(xs, # > 0)", environment) == sum(value > 0 for value in values)


data = st.recursive(
    st.none() | st.booleans() | small | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@untimed
@given(data)
def test_json_comes_back(value: Any) -> None:
    assert json.loads(evaluate("toJson(v)", {"v": value})) == value
    assert evaluate("fromJSON(toJson(v)) == v", {"v": value}) is True


PIECES = [
    "a", "1", "'x'", "(", ")", "[", "]", "{", "}", "+", "-", "*", "/", "%", "**", "==", "<", "??", "?.", "?", ":", ".",
    "..", "|", "&&", "||", "!", "not", "in", "matches", "#", ",", "filter", "map", "len", "sprig", ".trim", "nil",
    "true", " ", "int", "repeat", "fromJSON", "reduce", "now()", "\\", "`", '"',
]  # fmt: skip
noise = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@settings(max_examples=400, deadline=None)
@given(noise)
@example("filter(a, {a: 1})")
@example("1 ** 99999 ** 99999")
@example("'' matches ''")
def test_any_text_has_a_value_or_a_typed_error(source: str) -> None:
    environment = {"a": [1, {"b": None}], "n": None}
    try:
        program = compile_expression(source)
        program.missing(environment)
        program.references  # noqa: B018 - it must not fail
        program.evaluate(environment)
    except ExpressionError as error:
        assert str(error)


# --- conditions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("true", True),
        ("heads == heads", True),
        ("foo != bar", True),
        ("'a b' == \"a b\"", True),
        ("'' == ''", True),
        ("5 == 5.0", True),
        ("5 == '5'", False),
        ("10 < 9", False),
        ("'10' < '9'", True),
        ("0x10 == 16", True),
        ("-5 < 3", True),
        ("1 + 2 * 3 == 7", True),
        ("2 ** 3 == 8 && 7 % 4 == 3", True),
        ("ab + 1 == ab1", True),
        ("heads =~ 'h.*s' && heads !~ z", True),
        ("x in (a, b, x)", True),
        ("2 in (1, '2')", False),
        ("!(a == b) || false", True),
        ("true && false || true", True),
        ("(a == a) && (b != c || d == e)", True),
        ("a == b == false", True),
        ("[a b] == 'a b'", True),
        ("a\\-b == 'a-b'", True),
        ("false && (a < 1)", False),
        ("inner == inner", True),
    ],
)
def test_a_condition_holds(text: str, holds: bool) -> None:
    assert evaluate_condition(text) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{x}} == a", "Invalid token: '{{'"),
        ("a = b", "Invalid token: '='"),
        (" == a", "Invalid token: '=='"),
        ("a ==", "unexpected end"),
        ("a==-5", "Invalid token: '==-'"),
        ("!!true", "Invalid token: '!!'"),
        ("a b", "unexpected 'b'"),
        ("my-name == my-name", "not numbers"),
        ("a.txt == b", "has a dot and no quotes"),
        ("1.2.3 == 1", "is not a number"),
        ("'it's' == x", "unexpected"),
        ("a < 1", "cannot compare"),
        ("x in (x)", "needs a list"),
        ("a && true", "needs true or false"),
        ("!a", "needs true or false"),
        ("heads", "neither true nor false"),
        ("a =~ '('", "invalid regular expression"),
        ("1 / 0 == 1", "1 / 0"),
        ("a" * 30_000, "longer than"),
    ],
)
def test_a_condition_that_does_not_work_says_why(text: str, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        evaluate_condition(text)
    assert message in str(caught.value)


@untimed
@given(words, words)
def test_quoted_values_compare_as_text(left: str, right: str) -> None:
    quoted = [
        "'" + "".join(f"\\{letter}" if letter in "'\"\\" else letter for letter in text) + "'" for text in (left, right)
    ]
    assert evaluate_condition(f"{quoted[0]} == {quoted[1]}") is (left == right)
    assert evaluate_condition(f"{quoted[0]} != {quoted[1]} && true") is (left != right)


@untimed
@given(small, small, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_numbers_compare_as_numbers(left: int, right: int, sign: str) -> None:
    source = f"{left} {sign} {right}"
    assert evaluate_condition(source) is python_value(source)


CONDITION_PIECES = [
    "a", "1", "'", '"', "(", ")", "==", "!=", "=~", "&&", "||", "!", "-", "in", ",", " ", "[", "]", "{{", "}}", "true",
    "+", "**", "\\", ".",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=40) | st.lists(st.sampled_from(CONDITION_PIECES), max_size=12).map("".join))
def test_any_text_is_a_condition_or_a_typed_error(text: str) -> None:
    try:
        assert evaluate_condition(text) in (True, False)
    except ConditionError as error:
        assert str(error)
    else:
        check_condition(text)


# --- substitution ---------------------------------------------------------------------------------------------------

SCOPE = {
    "workflow.name": "run-1",
    "inputs.parameters.a": 'say "hi"\n{x: 1}\\',
    "tasks.a.outputs.parameters.b": "B",
    "tasks.gone.outputs.parameters.b": None,
    "tasks.list.outputs.parameters": [{"b": "1"}],
    "item": "I",
    "item.name": "N",
}


def task(value: str) -> Task:
    return Task(name="t", template="w", arguments=Arguments(parameters=(Parameter(name="p", value=value),)))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("{{workflow.name}}", "run-1"),
        ("{{ workflow.name }}!", "run-1!"),
        ("{{inputs.parameters.a}}", 'say "hi"\n{x: 1}\\'),
        ("{{workflow.name}}-{{item}}", "run-1-I"),
        ("{{inputs.parameters.{{item}}}}", "{{inputs.parameters.I}}"),
        ("{{unknown.name}}", "{{unknown.name}}"),
        ("{{=workflow.name + '-x'}}", "run-1-x"),
        ("{{= 1 + 2.0}}", "3"),
        ("{{= ['a', \"b\"]}}", '["a","b"]'),
        ('{{= {"a": 1.5} }}', '{"a":1.5}'),
        ("{{= tasks.gone.outputs.parameters.b ?? 'none'}}", "none"),
        ("{{= tasks.list.outputs.parameters[0].b}}", "1"),
        ("{{= inputs.parameters.a}}", 'say "hi"\n{x: 1}\\'),
        ("{{= lastRetry.exitCode == '1' ? 'a' : 'b'}}", "{{= lastRetry.exitCode == '1' ? 'a' : 'b'}}"),
        ("{{= unknown.thing}}", "{{= unknown.thing}}"),
        ("{{= 1 + }}", "{{= 1 + }}"),
    ],
)
def test_tags_are_replaced_and_the_rest_stays(text: str, result: str) -> None:
    assert substitute_text(text, SCOPE, allow_unresolved=True) == result
    replaced = substitute(task(text), SCOPE, allow_unresolved=True)
    assert replaced.arguments.parameters[0].value == result
    assert substitute({"a": [text, 1, None]}, SCOPE, allow_unresolved=True) == {"a": [result, 1, None]}


@pytest.mark.parametrize(
    ("text", "message", "absent"),
    [
        ("{{unknown.name}}", "failed to resolve {{unknown.name}}", False),
        ("{{tasks.list.outputs.parameters}}", "is not text", False),
        ("{{tasks.gone.outputs.parameters.b}}", "skipped or omitted", True),
        ("x{{y{{tasks.gone.outputs.parameters.b}}}}", "skipped or omitted", True),
        ("{{= tasks.gone.outputs.parameters.b}}", "its value is absent", True),
        ("{{= unknown.thing}}", "unknown is missing", False),
        ("{{= item.nothing}}", "item.nothing is missing", False),
        ("{{= 1 + }}", "unexpected end", False),
        ("{{= 1 + 'a'}}", "cannot do int + string", False),
        ("{{= 1 / 0}}", "failed to evaluate", False),
        ("{{open", "`{{` without `}}`", False),
    ],
)
def test_a_tag_that_must_resolve_and_does_not_is_named(text: str, message: str, absent: bool) -> None:
    with pytest.raises(SubstitutionError) as caught:
        substitute_text(text, SCOPE)
    assert message in str(caught.value)
    assert caught.value.absent is absent


def test_an_absent_value_is_an_error_even_where_tags_may_stay() -> None:
    with pytest.raises(SubstitutionError) as caught:
        substitute(task("{{tasks.gone.outputs.parameters.b}}"), SCOPE, allow_unresolved=True)
    assert (caught.value.tag, caught.value.absent) == ("tasks.gone.outputs.parameters.b", True)


def test_strict_roots_must_resolve_and_others_may_stay() -> None:
    kept = "{{item}} {{inputs.parameters.z}} {{tasksX.a}} {{tasks.q.outputs.artifacts.f}}"
    replaced = substitute_text(kept, {"item": "I"}, allow_unresolved=True, strict=("tasks", "steps"))
    assert replaced == kept.replace("{{item}}", "I")
    for text in ("{{tasks.q.outputs.parameters.x}}", "{{= tasks.q.outputs.parameters.x}}", "{{tasks}}"):
        with pytest.raises(SubstitutionError):
            substitute_text(text, {"item": "I"}, allow_unresolved=True, strict=("tasks", "steps"))


def test_empty_text_is_not_absent() -> None:
    scope = {"tasks.a.outputs.parameters.b": ""}
    assert substitute_text("[{{tasks.a.outputs.parameters.b}}]", scope) == "[]"
    assert substitute_text("{{= tasks.a.outputs.parameters.b ?? 'x'}}", scope) == ""


def test_an_object_without_tags_is_returned_as_it_is() -> None:
    part = task("nothing to do")
    assert substitute(part, SCOPE) is part


def test_numbers_stay_numbers() -> None:
    assert substitute({"limit": 3, "text": "{{item}}"}, SCOPE) == {"limit": 3, "text": "I"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{{tasks.a.outputs.result}}", "tasks.a.outputs.result"),
        ("{{ item }}", "item"),
        ("x{{item}}", None),
        ("{{item}}{{item}}", None),
        ("{{a.{{item}}}}", None),
        ("{{=item}}", None),
        ("item", None),
    ],
)
def test_an_argument_that_is_one_tag(text: str, name: str | None) -> None:
    assert sole_tag(text) == name


def test_tags_are_listed() -> None:
    assert tags("a {{b.c}} {{=d + 1}} {{ e }}") == ("b.c", "=d + 1", " e ")


names = st.from_regex(r"[a-z]{1,5}(\.[a-z-]{1,5}){0,3}", fullmatch=True)
values = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)


@untimed
@given(st.dictionaries(names, values, min_size=1, max_size=4), st.data())
def test_values_arrive_unchanged_whatever_is_in_them(scope: dict[str, str], draw: st.DataObject) -> None:
    chosen = draw.draw(st.lists(st.sampled_from(sorted(scope)), min_size=1, max_size=5))
    text = "|".join("{{" + name + "}}" for name in chosen)
    expected = "|".join(scope[name] for name in chosen)
    assert substitute_text(text, scope) == expected
    assert substitute(task(text), scope).arguments.parameters[0].value == expected


@untimed
@given(st.text(max_size=60), st.dictionaries(names, st.none() | values, max_size=3))
def test_any_text_is_replaced_or_named(text: str, scope: dict[str, str | None]) -> None:
    for allow_unresolved in (True, False):
        try:
            found = substitute_text(text, scope, allow_unresolved=allow_unresolved)
        except SubstitutionError as error:
            assert str(error)
        else:
            assert isinstance(found, str)
            assert found == text or "{{" in text


@untimed
@given(data)
def test_json_text_is_json(value: Any) -> None:
    assert json.loads(json_text(value)) == value

"""`withItems`, `withParam` and `withSequence`: the items of a task, what its children are called and what they see."""

from __future__ import annotations

import json
from typing import Any

from platform_cli.workflow.json_text import json_text
from platform_cli.workflow.model_container import IntOrString
from platform_cli.workflow.model_template import Sequence, Step
from platform_cli.workflow.scope import BindingError, Values

_MOST_ITEMS = 100_000


def has_items(step: Step) -> bool:
    """Whether the step runs once per item."""
    return bool(step.with_items or step.with_param or step.with_sequence)


def expand_items(step: Step) -> list[Any]:
    """The items, all tags replaced already.

    Raises:
        BindingError: `withParam` is not a JSON list, or a number of the sequence is none.
    """
    if step.with_sequence is not None:
        return list(_sequence(step.with_sequence))
    if not step.with_param:
        return list(step.with_items)
    try:
        items = json.loads(step.with_param)
    except ValueError as error:
        raise BindingError(f"withParam is not JSON: {step.with_param[:80]}") from error
    if not isinstance(items, list):
        raise BindingError(f"withParam is not a JSON list: {step.with_param[:80]}")
    return items


def item_name(name: str, index: int, item: Any) -> str:
    """The child's name: `name(0:value)`; an object becomes `key:value,key:value`."""
    if isinstance(item, dict):
        text = ",".join(f"{key}:{item_text(item[key])}" for key in sorted(item))
    else:
        text = item_text(item)
    return f"{name}({index}:{text.replace('(', '').replace(')', '')})"


def item_values(item: Any) -> Values:
    """`item`, and `item.key` when it is an object."""
    values: Values = {"item": item_text(item)}
    if isinstance(item, dict):
        values |= {f"item.{key}": item_text(value) for key, value in item.items()}
    return values


def item_text(item: Any) -> str:
    """An item as text: texts as they are, anything else as JSON."""
    return item if isinstance(item, str) else json_text(item)


def _sequence(sequence: Sequence) -> list[str]:
    start = _number(sequence.start if sequence.start is not None else 0, "start")
    if sequence.count is not None:
        numbers = range(start, start + _number(sequence.count, "count"))
    else:
        end = _number(sequence.end if sequence.end is not None else 0, "end")
        numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    if len(numbers) > _MOST_ITEMS:
        raise BindingError(f"withSequence has {len(numbers)} items; at most {_MOST_ITEMS} run in one go")
    try:
        return [sequence.format % number if sequence.format else str(number) for number in numbers]
    except (TypeError, ValueError) as error:
        raise BindingError(f"withSequence.format {sequence.format!r}: {error}") from error


def _number(value: IntOrString, field: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise BindingError(f"withSequence.{field} is not a whole number: {value!r}") from error

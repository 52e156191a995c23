"""Values of Terraform's language: plain Python data, and what only a cloud could tell."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


class Unknown:
    """A value that is known after an apply only. Whatever is made from it is unknown too."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class HclError(Exception):
    """An expression that makes no sense with the values it was given; `try`, `can` and readers catch it."""


@runtime_checkable
class Attributes(Protocol):
    """Something with attributes that are worked out when they are asked for: a resource, a module."""

    def attribute(self, name: str) -> Any:
        """The value of one attribute.

        Raises:
            HclError: there is no such attribute.
        """


def get_attribute(value: Any, name: str) -> Any:
    """`value.name`.

    Raises:
        HclError: there is no such attribute.
    """
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        if name not in value:
            raise HclError(f"no attribute {name}")
        return value[name]
    if isinstance(value, Attributes):
        return value.attribute(name)
    raise HclError(f"{_describe(value)} has no attribute {name}")


def get_item(value: Any, key: Any) -> Any:
    """`value[key]`.

    Raises:
        HclError: there is no such item.
    """
    if value is UNKNOWN or key is UNKNOWN:
        return UNKNOWN
    if isinstance(value, list):
        return _get_element(value, key)
    return get_attribute(value, as_text(key))


def _get_element(items: list[Any], key: Any) -> Any:
    try:
        index = int(key)
    except (TypeError, ValueError) as error:
        raise HclError(f"{key!r} is no index") from error
    if not 0 <= index < len(items):
        raise HclError(f"no element {index}")
    return items[index]


def as_text(value: Any) -> str:
    """A known value as Terraform writes it into a template.

    Raises:
        HclError: it is no text, number or bool.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise HclError(f"{_describe(value)} is no text")


def as_number(value: Any) -> int | float:
    """A known value as a number.

    Raises:
        HclError: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(value) if "." in str(value) else int(value)
    except (TypeError, ValueError) as error:
        raise HclError(f"{_describe(value)} is no number") from error


def as_bool(value: Any) -> bool:
    """A known value as a bool.

    Raises:
        HclError: it is none.
    """
    known = {True: True, False: False, "true": True, "false": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    raise HclError(f"{_describe(value)} is neither true nor false")


def as_pairs(value: Any) -> list[tuple[Any, Any]]:
    """Keys and items of a map, an object, a list or a set, in Terraform's order.

    Raises:
        HclError: it is none of them.
    """
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    raise HclError(f"{_describe(value)} has no items")


def has_unknown(value: Any) -> bool:
    """Whether a value is unknown, in whole or in part."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


def _describe(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"

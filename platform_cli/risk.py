"""How much a stage does to what is there."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from platform_cli.resource import Action


class Risk(StrEnum):
    """What a stage does to what is there, from harmless to not."""

    NONE = "none"
    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DESTROY = "destroy"


Assessment = tuple[Risk, str]
"""A risk and its reason."""

_RISKS = {
    Action.CREATE: Risk.CREATE,
    Action.UPDATE: Risk.CHANGE,
    Action.FORGET: Risk.CHANGE,
    Action.REPLACE: Risk.REPLACE,
    Action.DESTROY: Risk.DESTROY,
}


def worst_of(actions: Iterable[Action]) -> Risk:
    """The risk of the worst of these actions; none of them is harmless."""
    return max((_RISKS[action] for action in actions), key=list(Risk).index)


def if_any(risk: Risk, state: str, names: tuple[str, ...], otherwise: str) -> Assessment:
    """The risk when there are such things, with their names."""
    return (risk, f"{state}: {', '.join(names)}") if names else (Risk.NONE, otherwise)

"""One row of the table: what was measured, beside what, and whether the target was met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class Skipped(Exception):  # noqa: N818 - it is no error
    """A contest cannot be held here; the message says what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A comparison. `ours` and `beside` are seconds unless `unit` says otherwise.

    Attributes:
        limit: what must not be exceeded; of the ratio, or of `ours` when `absolute`. None where nothing was promised.
    """

    what: str
    ours: float
    beside: float | None = None
    beside_name: str = ""
    limit: float | None = None
    absolute: bool = False
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """Ours over the other's."""
        return None if self.beside is None else self.ours / self.beside

    @property
    def verdict(self) -> str:
        """`ok`, `miss`, or nothing where no target was set."""
        value = self.ours if self.absolute else self.ratio
        if self.limit is None or value is None:
            return ""
        return "ok" if value <= self.limit else "miss"

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        beside = "" if self.beside is None else f"{self.beside_name} {_amount(self.beside, self.unit)}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        target = "" if self.limit is None else f"<= {self.limit:g}{f' {self.unit}' if self.absolute else ' x'}"
        return self.what, _amount(self.ours, self.unit), beside, ratio, target, self.verdict


HEAD = ("what", "mlops", "beside it", "ratio", "target", "")


def _amount(value: float, unit: str) -> str:
    return f"{value:.3f} {unit}" if unit == "s" else f"{value:.2f} {unit}"


def markdown(figures: Iterable[Figure]) -> str:
    """The table for a page."""
    lines = (HEAD, ("---",) * len(HEAD), *(figure.cells() for figure in figures))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

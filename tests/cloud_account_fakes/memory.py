"""An account in memory, for tests of what is made of an account's answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.clouds.terraform.account import Identity, Offer, Quota, Use, Vital
from platform_cli.errors import PreflightError, ToolError


@dataclass
class FakeAccount:
    """Answers what its attributes say. `forbids` refuses to tell of permissions; `knows_nobody` refuses credentials."""

    identity: Identity = field(default_factory=lambda: Identity("123", "somebody"))
    denied: set[str] = field(default_factory=set)
    offers: dict[str, Offer] = field(default_factory=dict)
    quotas: dict[str, Quota] = field(default_factory=dict)
    versions: tuple[str, ...] = ("1.35",)
    networks: list[tuple[str, str]] = field(default_factory=list)
    uses: dict[str, Use] = field(default_factory=dict)
    vitals: dict[str, tuple[Vital, ...]] = field(default_factory=dict)
    forbids: bool = False
    knows_nobody: bool = False
    is_silent: bool = False
    asked: list[str] = field(default_factory=list)

    def identify(self) -> Identity:
        self.asked.append("identify")
        if self.knows_nobody:
            raise PreflightError("no credentials", hint="log in")
        return self.identity

    def list_denied(self, actions: Collection[str]) -> tuple[str, ...]:
        self.asked.append("list_denied")
        if self.forbids:
            raise ToolError("it does not let us ask", hint="grant it")
        return tuple(sorted(self.denied & set(actions)))

    def list_offers(self, types: Collection[str]) -> Mapping[str, Offer]:
        self.asked.append("list_offers")
        return {kind: offer for kind, offer in self.offers.items() if kind in types}

    def read_quotas(self, keys: Collection[str]) -> Mapping[str, Quota]:
        self.asked.append("read_quotas")
        return {key: quota for key, quota in self.quotas.items() if key in keys}

    def list_versions(self) -> tuple[str, ...]:
        self.asked.append("list_versions")
        return self.versions

    def list_networks(self) -> tuple[tuple[str, str], ...]:
        self.asked.append("list_networks")
        return tuple(self.networks)

    def find_use(self, kind: str, name: str) -> Use:  # noqa: ARG002 - names alone are looked at
        self.asked.append("find_use")
        return self.uses.get(name, Use.FREE)

    def read_vitals(self, layer: str, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:  # noqa: ARG002 - as above
        self.asked.append(f"read_vitals {layer}")
        if self.is_silent:
            raise ToolError("no answer")
        return self.vitals.get(layer, ())

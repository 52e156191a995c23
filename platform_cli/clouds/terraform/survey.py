"""Asks an account what a root needs of it, before anything is planned or made.

What an account does not let us ask is advice, not a failure: the deploy may go well all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from ipaddress import ip_network

from platform_cli.clouds.terraform.account import Account, Demand, Identity, Need, Offer, Pool, Probe, Quota, Use
from platform_cli.clouds.terraform.offline import Reading
from platform_cli.clouds.terraform.state import Record
from platform_cli.doctor import Check, Finding
from platform_cli.errors import MlopsError
from platform_cli.render.line import count_of

_SHOWN = 8
_PRIVATE = ip_network("10.0.0.0/8")


class Survey:
    """The questions of one preflight. What several of them need is asked once.

    `read` gives the root's reading for what the data sources are assumed to tell; `record` the state, if any.
    """

    def __init__(
        self, probe: Probe, region: str, read: Callable[[str], Reading], record: Callable[[], Record | None]
    ) -> None:
        self._probe, self._region, self._read, self._record = probe, region, read, record
        self._lock = threading.RLock()

    def list_checks(self) -> tuple[Check, ...]:
        """Everything that is asked; a deploy that makes nothing new asks for credentials alone."""
        asked: dict[str, Callable[[], Finding]] = {
            "permissions": self.check_permissions,
            "kubernetes": self.check_kubernetes,
            "offers": self.check_offers,
            "quotas": self.check_quotas,
            "networks": self.check_networks,
            "names": self.check_names,
        }
        return (
            Check("credentials", self.check_credentials, asks=True),
            *(Check(name, self._tolerate(look), asks=True, is_settled=self.is_settled) for name, look in asked.items()),
        )

    def is_settled(self) -> bool:
        """Whether everything that the root makes is there."""
        return not self._demand.new

    def check_credentials(self) -> Finding:
        """Whether there are credentials that the cloud accepts, and whose they are."""
        try:
            return Finding(ok=True, found=str(self._identity))
        except MlopsError as error:
            return Finding(ok=False, found=error.message, fix=error.hint or self._probe.log_in)

    def check_permissions(self) -> Finding:
        """Whether the credentials may do what the new resources need."""
        types = {resource.type for resource in self._demand.new}
        actions = sorted({action for kind in types for action in self._probe.actions.get(kind, ())})
        denied = self._account.list_denied(actions)
        if not denied:
            needed = f"{count_of(len(actions), 'action')} that {count_of(len(types), 'resource type')} need"
            return Finding(ok=True, found=f"allowed: {needed}")
        fix = self._probe.grant.format(who=self._identity.name)
        return Finding(ok=False, found=f"not allowed: {_some(denied)}", fix=fix)

    def check_kubernetes(self) -> Finding:
        """Whether a new cluster may have the version that is wanted."""
        wanted, versions = self._demand.kubernetes_version, self._account.list_versions()
        offered = any(version == wanted or version.startswith(f"{wanted}.") for version in versions)
        if offered:
            return Finding(ok=True, found=f"{wanted} is offered in {self._region}")
        fix = f"set infrastructure.kubernetes_version to one of {', '.join(versions)}"
        return Finding(ok=False, found=f"{wanted} is not offered in {self._region}", fix=fix)

    def check_offers(self) -> Finding:
        """Whether the region has the pools' instance types, and in enough zones."""
        missing = [pool for pool in self._demand.pools if not self._list_offers(pool)]
        if missing:
            told = "; ".join(f"pool {pool.name}: no {' or '.join(pool.candidates)}" for pool in missing)
            fix = "choose another region, or other instance_types under node_pools in the root's terraform.tfvars"
            return Finding(ok=False, found=f"{self._region} has {told}", fix=fix)
        narrow = [pool for pool in self._demand.pools if self._count_zones(pool) < self._demand.zones]
        if narrow:
            told = ", ".join(f"{pool.name} ({self._count_zones(pool)} of {self._demand.zones})" for pool in narrow)
            fix = "their nodes start in those zones only; name another instance type, or live with it"
            return Finding(ok=False, found=f"in fewer zones than wanted: {told}", fix=fix, advises=True)
        return Finding(ok=True, found=f"{count_of(len(self._offers), 'instance type')} in {self._region}")

    def check_quotas(self) -> Finding:
        """Whether what must run fits into the quotas, and whether the pools could grow to their maximum."""
        needs = self._probe.list_needs(self._demand, self._offers)
        quotas = self._account.read_quotas({need.key for need in needs})
        short = [need for need in needs if need.key in quotas and _is_short(quotas[need.key], need.most)]
        if not short:
            unknown = [need.title for need in needs if need.key not in quotas]
            told = f"; unknown: {_some(unknown)}" if unknown else ""
            return Finding(ok=True, found=f"room in {count_of(len(needs) - len(unknown), 'quota')}{told}")
        fatal = any(_is_short(quotas[need.key], need.least) for need in short)
        found = "; ".join(_tell_need(need, quotas[need.key]) for need in short)
        return Finding(ok=False, found=found, fix=self._raise_quotas(short, quotas), advises=not fatal)

    def check_networks(self) -> Finding:
        """Whether the new network's addresses are free: overlapping networks can never be joined."""
        wanted = [cidr for kind, name in self._probe.networks.items() for cidr in self._demand.list_values(kind, name)]
        there = self._account.list_networks()
        clashes = [
            f"{cidr} and {name} ({other})"
            for cidr in wanted
            for name, other in there
            if ip_network(cidr).overlaps(ip_network(other, strict=False))
        ]
        if not clashes:
            return Finding(ok=True, found=f"{', '.join(wanted) or 'nothing new'}: no overlap with {len(there)} others")
        free = _find_free([other for _, other in there], ip_network(wanted[0]).prefixlen)
        such = f", such as {free}" if free else ""
        fix = f"if they are ever to be joined, set infrastructure.cidr to another range{such}"
        return Finding(ok=False, found=f"overlap: {_some(clashes)}", fix=fix, advises=True)

    def check_names(self) -> Finding:
        """Whether the names that only one customer of the cloud may have are free."""
        wanted = [
            (kind, name)
            for kind, attribute in self._probe.unique.items()
            for name in self._demand.list_values(kind, attribute)
        ]
        uses = {name: self._account.find_use(kind, name) for kind, name in wanted}
        ours = [name for name, use in uses.items() if use is Use.OURS]
        taken = [name for name, use in uses.items() if use is Use.TAKEN]
        if taken:
            fix = "set another infrastructure.tenant or name in platform.yaml"
            return Finding(ok=False, found=f"taken by another customer: {_some(taken)}", fix=fix)
        if ours:
            fix = "terraform import them, restore the state that records them, or remove them"
            return Finding(ok=False, found=f"in this account already, but not in the state: {_some(ours)}", fix=fix)
        return Finding(ok=True, found=f"{count_of(len(uses), 'name')} free")

    # --- what is asked once ---

    @property
    def _account(self) -> Account:
        with self._lock:
            return self._opened

    @cached_property
    def _opened(self) -> Account:
        return self._probe.open(self._region)

    @property
    def _identity(self) -> Identity:
        with self._lock:
            if isinstance(self._identified, MlopsError):
                raise self._identified
            return self._identified

    @cached_property
    def _identified(self) -> Identity | MlopsError:
        """Also a failure is found once: a chain of credentials may take seconds to say no."""
        try:
            return self._account.identify()
        except MlopsError as error:
            return error

    @property
    def _demand(self) -> Demand:
        with self._lock:
            return self._demanded

    @cached_property
    def _demanded(self) -> Demand:
        reading = self._read(self._identity.account)
        return Demand(
            region=self._region,
            kubernetes_version=str(reading.variable("kubernetes_version")),
            zones=int(reading.variable("network").get("zones") or 1),
            pools=self._probe.list_pools(reading),
            new=reading.list_new(self._record()),
        )

    @property
    def _offers(self) -> dict[str, Offer]:
        with self._lock:
            return self._offered

    @cached_property
    def _offered(self) -> dict[str, Offer]:
        return dict(self._account.list_offers({kind for pool in self._demand.pools for kind in pool.types}))

    # --- parts of answers ---

    def _list_offers(self, pool: Pool) -> list[Offer]:
        return [self._offers[kind] for kind in pool.candidates if kind in self._offers]

    def _count_zones(self, pool: Pool) -> int:
        return len(frozenset().union(*(offer.zones for offer in self._list_offers(pool))))

    def _raise_quotas(self, short: Sequence[Need], quotas: dict[str, Quota] | object) -> str:
        account = self._identity.account
        known = quotas if isinstance(quotas, dict) else {}
        return "; ".join(
            self._probe.raise_quota.format(
                key=need.key, region=self._region, account=account, most=f"{known[need.key].used + need.most:g}"
            )
            for need in short
        )

    def _tolerate(self, look: Callable[[], Finding]) -> Callable[[], Finding]:
        def asked() -> Finding:
            with self._lock:
                if isinstance(self._identified, MlopsError):
                    return Finding(ok=False, found="not asked without credentials", fix="as above", advises=True)
            try:
                return look()
            except MlopsError as error:
                fix = error.hint or "look at it yourself, or grant the right to ask"
                return Finding(ok=False, found=f"not checked: {error.message}", fix=fix, advises=True)

        return asked


def _is_short(quota: Quota, needed: float) -> bool:
    return quota.used + needed > quota.limit


def _tell_need(need: Need, quota: Quota) -> str:
    have = f"{quota.limit:g}, {quota.used:g} used" if quota.used else f"{quota.limit:g}"
    return f"{need.title}: {have}; {need.because} need {need.least:g} to start and {need.most:g} at most"


def _find_free(taken: Sequence[str], length: int) -> str:
    """A private range of a length that overlaps none of these; empty when there is none."""
    networks = [ip_network(cidr, strict=False) for cidr in taken]
    free = (
        str(cidr)
        for cidr in _PRIVATE.subnets(new_prefix=min(max(length, 16), 20))
        if not any(cidr.overlaps(other) for other in networks)
    )
    return next(free, "")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

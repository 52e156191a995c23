"""Holds what stages want on a cluster against what was seen there. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from platform_cli.cluster.difference import compare, index
from platform_cli.cluster.work import (
    Backup,
    ClusterFacts,
    ClusterWork,
    CrdSet,
    DrainResources,
    GeneratedSecrets,
    GitOpsRoot,
    Healthy,
    HelmRelease,
    Namespaces,
    ReleaseFact,
    RemoveClaims,
    RemoveCrds,
    RemoveNamespaces,
    RemoveRelease,
    RemoveWebhooks,
    StopWorkflows,
    SuspendGitOps,
)
from platform_cli.resource import HARMLESS, Action, ResourceChange
from platform_cli.risk import Assessment, Risk, if_any, worst_of
from platform_cli.stage import digest_of

GOOD = "deployed"
_SHOWN = 4


def assess_cluster(work: ClusterWork, facts: ClusterFacts | None) -> Assessment:  # noqa: C901, PLR0911, PLR0912 - one return per kind
    """What the work does to what is there, and why; without a cluster everything is still to be made."""
    seen = facts or ClusterFacts()
    if seen.unreachable:
        return Risk.NONE, f"the cluster cannot be asked: {seen.unreachable}"
    match work:
        case Namespaces():
            return _assess_wanted(work, seen)
        case CrdSet():
            return _assess_crds(work, seen)
        case GeneratedSecrets():
            return _missing(work.secrets, seen.secrets, "secrets")
        case HelmRelease():
            return _assess_release(work, seen)
        case Healthy():
            return _assess_health(work, seen, known=facts is not None)
        case GitOpsRoot():
            return _assess_root(work, seen)
        case Backup():
            return Risk.CREATE, f"before {some(work.components)} changes"
        case SuspendGitOps():
            return if_any(Risk.CHANGE, "sync by themselves", seen.applications, "nothing syncs by itself")
        case StopWorkflows():
            return if_any(Risk.DESTROY, "running", _short(seen.workflows), "no workflow runs")
        case DrainResources():
            return _assess_resources(work, seen)
        case RemoveWebhooks():
            return if_any(Risk.DESTROY, "there", _short(seen.webhooks), "no webhook of the platform")
        case RemoveRelease():
            return _assess_removal(work, seen)
        case RemoveClaims():
            return if_any(Risk.DESTROY, "their data is lost", _short(seen.claims), "no claim")
        case RemoveNamespaces():
            return _assess_namespaces(work, seen)
        case RemoveCrds():
            found = tuple(name for name in work.crds if seen.crds.get(name))
            return if_any(Risk.DESTROY, "there", _short(found), "none of ours")
        case _:
            assert_never(work)


def plan_release(work: HelmRelease, facts: ClusterFacts | None) -> tuple[HelmRelease, tuple[ResourceChange, ...]]:
    """The work with what it does to each object, and that."""
    rendered = facts.rendered.get(work.component) if facts else None
    if facts is None or rendered is None or work.component in facts.foreign:
        return work, ()
    changes = compare(rendered, base_of(facts.releases.get(work.key)), work.namespace)
    by_address = {str(ref): ref for ref in index(rendered.objects, work.namespace)}
    replaced = tuple(by_address[change.address] for change in changes if change.action is Action.REPLACE)
    return replace(work, changes=digest_of([repr(change) for change in changes]), replaces=replaced), changes


def plan_health(work: Healthy, facts: ClusterFacts | None) -> Healthy:
    """The work without the components that somebody else runs."""
    foreign = facts.foreign if facts else {}
    return Healthy(tuple((name, workloads) for name, workloads in work.components if name not in foreign))


def base_of(release: ReleaseFact | None) -> ReleaseFact | None:
    """The release that an upgrade starts from: none when its first revision is broken, for that is uninstalled."""
    return None if release is not None and is_broken_start(release) else release


def is_broken_start(release: ReleaseFact) -> bool:
    """Whether no revision of the release was ever good."""
    return release.revision == 1 and release.status != GOOD


def some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(_short(tuple(names)))


def _short(names: tuple[str, ...]) -> tuple[str, ...]:
    more = len(names) - _SHOWN
    return (*names[:_SHOWN], f"{more} more") if more > 0 else names


def _missing(wanted: tuple[str, ...], there: Iterable[str], noun: str) -> Assessment:
    missing = tuple(name for name in wanted if name not in set(there))
    if not missing:
        return Risk.NONE, f"all {len(wanted)} {noun} are there" if wanted else f"no {noun}"
    return Risk.CREATE, f"missing: {some(missing)}"


def _assess_wanted(work: Namespaces, seen: ClusterFacts) -> Assessment:
    risk, reason = _missing(work.namespaces, seen.namespaces, "namespaces")
    theirs = tuple(name for name in work.namespaces if name in seen.unmarked)
    if not theirs:
        return risk, reason
    note = f"somebody else's get our policies until a destroy: {some(theirs)}"
    return (Risk.CHANGE, note) if risk is Risk.NONE else (risk, f"{reason}; {note}")


def _assess_crds(work: CrdSet, seen: ClusterFacts) -> Assessment:
    if work.component in seen.foreign:
        return Risk.NONE, _adopted(seen.foreign[work.component])
    if not work.digests:
        return Risk.CREATE, "known once the infrastructure is there"
    missing = [name for name in work.digests if name not in seen.crds]
    differing = [name for name, digest in work.digests.items() if seen.crds.get(name, digest) != digest]
    if differing:
        return Risk.CHANGE, f"differ: {some(differing)}"
    return (Risk.CREATE, f"missing: {some(missing)}") if missing else (Risk.NONE, f"all {len(work.digests)} are there")


def _adopted(why: str) -> str:
    return f"adopted, not touched: {why}"


def _assess_release(work: HelmRelease, seen: ClusterFacts) -> Assessment:
    if work.component in seen.foreign:
        return Risk.NONE, _adopted(seen.foreign[work.component])
    release = seen.releases.get(work.key)
    if release is None:
        return Risk.CREATE, f"{work.chart} {work.version} is absent"
    if release.status != GOOD:
        mended = "made anew" if is_broken_start(release) else "mended"
        return Risk.CHANGE, f"revision {release.revision} is {release.status}: {mended}"
    return _assess_objects(work, release, plan_release(work, seen)[1])


def _assess_objects(work: HelmRelease, release: ReleaseFact, changes: tuple[ResourceChange, ...]) -> Assessment:
    harmful = [change for change in changes if change.action not in HARMLESS]
    moved = f"{release.version} to {work.version}; " if release.version != work.version else ""
    if harmful:
        return worst_of(change.action for change in harmful), f"{moved}{count_actions(harmful)}"
    if moved:
        return Risk.CHANGE, f"{moved}no object changes"
    return Risk.NONE, f"{work.version}, nothing to change"


def count_actions(changes: Iterable[ResourceChange]) -> str:
    """Such as `98 to create, 1 to replace`."""
    actions = [change.action for change in changes]
    return ", ".join(f"{actions.count(action)} to {action}" for action in Action if action in actions)


def _assess_health(work: Healthy, seen: ClusterFacts, *, known: bool) -> Assessment:
    workloads = plan_health(work, seen).workloads
    waiting = tuple(name for name in workloads if name in seen.unready)
    if not known:
        return Risk.CHANGE, "waits until everything is ready"
    return if_any(Risk.CHANGE, "not ready", _short(waiting), f"all {len(workloads)} workloads are ready")


def _assess_root(work: GitOpsRoot, seen: ClusterFacts) -> Assessment:
    if seen.gitops_root is None:
        return Risk.CREATE, "absent"
    if seen.gitops_root != work.digest:
        return Risk.CHANGE, "it is another" if seen.gitops_root else "somebody else applied it"
    return Risk.NONE, "as it should be"


def _assess_resources(work: DrainResources, seen: ClusterFacts) -> Assessment:
    counts = [f"{len(seen.resources[crd])} {crd.partition('.')[0]}" for crd in work.crds if seen.resources.get(crd)]
    if work.component in seen.foreign and not counts:
        return Risk.NONE, f"not ours: {seen.foreign[work.component]}"
    return if_any(Risk.DESTROY, "there", tuple(counts), "no custom resource")


def _assess_removal(work: RemoveRelease, seen: ClusterFacts) -> Assessment:
    release = seen.releases.get(work.key)
    if release is None or work.component in seen.foreign:
        return Risk.NONE, f"not ours: {seen.foreign[work.component]}" if work.component in seen.foreign else "absent"
    return Risk.DESTROY, f"revision {release.revision}, {release.status}"


def _assess_namespaces(work: RemoveNamespaces, seen: ClusterFacts) -> Assessment:
    kept = {claim.partition("/")[0] for claim in seen.claims} if work.kept else set()
    doomed = tuple(name for name in work.namespaces if seen.namespaces.get(name) and name not in kept)
    borrowed = tuple(name for name in work.namespaces if name in seen.borrowed)
    if borrowed and not doomed:
        return Risk.CHANGE, f"given back: {some(borrowed)}"
    return if_any(Risk.DESTROY, "ours", _short(doomed), "none of ours")

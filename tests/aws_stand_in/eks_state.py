"""What a cluster has beside what moto knows of it, and one call about it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import Cluster, eks_backends

from aws_stand_in.answers import AwsError

Thing = dict[str, Any]


@dataclass
class Extras:
    """Add-ons by name, access entries by principal, their policies, associations by id."""

    addons: dict[str, Thing] = field(default_factory=dict)
    entries: dict[str, Thing] = field(default_factory=dict)
    policies: dict[str, dict[str, Thing]] = field(default_factory=dict)
    associations: dict[str, Thing] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where the API of every new cluster is: a real one's URL, and its authority's certificate in base64."""

    endpoint: str
    certificate: str


@dataclass
class State:
    """Extras by region and cluster, updates by id, and what was answered to a request's own token."""

    place: Place | None = None
    extras: dict[tuple[str, str], Extras] = field(default_factory=dict)
    updates: dict[str, Thing] = field(default_factory=dict)
    answered: dict[str, Thing] = field(default_factory=dict)

    def things(self) -> list[tuple[str, Thing]]:
        """Everything of ours that carries tags, with its ARN."""
        return [
            (thing[key], thing)
            for extras in self.extras.values()
            for key, group in (
                ("addonArn", extras.addons),
                ("accessEntryArn", extras.entries),
                ("associationArn", extras.associations),
            )
            for thing in group.values()
        ]


@dataclass
class Call:
    """One request to EKS."""

    state: State
    method: str
    path: list[str]
    region: str
    body: Thing
    query: dict[str, list[str]]
    names: dict[str, str] = field(default_factory=dict)

    def find(self, routes: dict[tuple[str, str], Callable[[Call], Any]]) -> Callable[[Call], Any] | None:
        """The function for this method and path; the names in the path become `names`."""
        for (method, template), function in routes.items():
            parts = template.strip("/").split("/")
            fits = len(parts) == len(self.path) and all(
                part == given or part.startswith("{") for part, given in zip(parts, self.path, strict=True)
            )
            if method == self.method and fits:
                self.names = {
                    part[1:-1]: given for part, given in zip(parts, self.path, strict=True) if part.startswith("{")
                }
                return function
        return None

    @property
    def cluster(self) -> Cluster:
        """Moto's cluster.

        Raises:
            AwsError: There is none of that name.
        """
        found = eks_backends[DEFAULT_ACCOUNT_ID][self.region].clusters.get(self.names["cluster"])
        if found is None:
            raise missing(f"No cluster found for name: {self.names['cluster']}.")
        return found

    @property
    def extras(self) -> Extras:
        return self.state.extras.setdefault((self.region, self.cluster.name), Extras())

    def arn(self, kind: str, rest: str) -> str:
        return f"arn:aws:eks:{self.region}:{DEFAULT_ACCOUNT_ID}:{kind}/{self.names['cluster']}/{rest}"

    def update(self, kind: str) -> Thing:
        """An update that is over as soon as it is asked for."""
        update = {"id": str(uuid.uuid4()), "status": "Successful", "type": kind, "params": [], "errors": []}
        self.state.updates[update["id"]] = update | {"createdAt": time.time()}
        return {"update": self.state.updates[update["id"]] | {"status": "InProgress"}}


def missing(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def in_use(message: str) -> AwsError:
    return AwsError("ResourceInUseException", message, 409)

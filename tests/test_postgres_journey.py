"""The platform on AWS with PostgreSQL, as a user: MLflow's records and Argo's archive lie in a real one.

Terraform makes an instance on the stand-in, which runs none. A real server takes its place: it has the login that
Terraform put into the secret store, and components' values lead pods to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cloud_sides import SIDES, STORE_KEYS, STORE_SECRET, Side, SiteOfPods, find_site
from e2e_fixtures import FLOWERS, Session
from external_secrets_stand_in import ExternalSecretsStandIn
from postgres_server import PostgresServer
from test_clouds_journey import open_session
from test_cluster_journey import STEPS, list_cluster

from platform_cli.cluster.access import Access
from platform_cli.cluster.value_site import merge
from platform_cli.tools.kubernetes import Kubernetes

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.terraform,
    pytest.mark.timeout(2400),
    pytest.mark.xdist_group("cluster-journey"),
]

DATABASE = "mlflow"
ARCHIVED_S = 60


@pytest.fixture(scope="module")
def site() -> SiteOfPods:
    found = find_site()
    if not found.database:
        pytest.skip("needs a cluster whose pods reach a database here: a third port in MLOPS_TEST_DOORS")
    return found


@pytest.fixture(scope="module")
def database(site: SiteOfPods) -> Iterator[PostgresServer]:
    with PostgresServer(site.database) as server:
        yield server


@pytest.fixture(scope="module")
def user(
    site: SiteOfPods,
    database: PostgresServer,
    access: Access,
    kubernetes: Kubernetes,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Session]:
    foreign = sorted(name for name in list_cluster(kubernetes) if name.endswith(".argoproj.io"))
    if foreign:
        pytest.skip(f"needs a cluster without Argo, and here is {foreign[0]}")
    folder = tmp_path_factory.mktemp("postgres")
    with SIDES["aws"](folder, access, site) as bare:
        side = with_database(bare, site, database)
        with ExternalSecretsStandIn(kubernetes, side.read_entry, {f"argo/{STORE_SECRET}": STORE_KEYS}):
            session = open_session(folder, side)
            try:
                session.mlops("deploy", "--yes")
                yield session
            finally:
                session.mlops("destroy", "--yes", "--delete-crds")


def with_database(side: Side, site: SiteOfPods, database: PostgresServer) -> Side:
    """That side with PostgreSQL, which knows the login of the store's entry when pods are told of it."""

    def read_entry(name: str) -> Mapping[str, str]:
        entry = side.read_entry(name)
        if name.endswith("mlflow-database"):
            database.add_owner(entry["username"], entry["password"], DATABASE)
        return entry

    place = {"host": site.host, "port": site.database}
    values: dict[str, Any] = {
        "argo-workflows": {"controller": {"persistence": {"postgresql": {**place}}}},
        "mlflow": {"backendStore": {"postgres": {**place}}},
    }
    document = {**side.document, "infrastructure": {"database": "postgres"}}
    return replace(side, document=document, values=merge(side.values, values), read_entry=read_entry)


def test_models_are_registered_and_served_from_it(user: Session, database: PostgresServer) -> None:
    ended = user.submit("--no-cache")
    user.run = ended.run
    assert [name for name in ended.nodes() if name in STEPS] == STEPS
    user.mlops("model", "deploy", "iris")
    assert [user.predict(kind) for kind in FLOWERS] == list(FLOWERS)
    assert database.ask("SELECT name, version FROM model_versions", DATABASE) == "iris|1"


def test_the_run_is_in_argos_archive(user: Session, database: PostgresServer) -> None:
    end = time.monotonic() + ARCHIVED_S
    while (found := database.ask("SELECT name, phase FROM argo_archived_workflows", DATABASE)) == "":
        assert time.monotonic() < end, "nothing is archived"
        time.sleep(1)
    assert found == f"{user.run}|Succeeded"


def test_a_second_deploy_changes_nothing_and_all_is_well(user: Session) -> None:
    assert "is up to date" in user.mlops("deploy", "--yes").out
    status = user.json("status").documents[0]
    assert (status["health"], [layer for layer in status["layers"] if layer["health"] != "ok"]) == ("ok", [])

"""What outlives a destroy on AWS: data that is kept and adopted, buckets that are not empty, what only lingers.

`mlops` runs on the real AWS root against the stand-in.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from terraform_fixtures import MIRROR, StandIn
from test_cloud_plans import mlops

pytestmark = [
    pytest.mark.long,
    pytest.mark.terraform,
    pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror with the AWS provider"),
]

# What a deploy from nothing may not find, and `--keep-data` has to leave.
DATA = {"s3.list_buckets", "ecr.describe_repositories", "kms.keys", "kms.list_aliases", "rds.describe_db_snapshots"}


def more_than(before: dict[str, list[str]], now: dict[str, list[str]]) -> dict[str, set[str]]:
    grown = {kind: set(names) - set(before[kind]) for kind, names in now.items()}
    return {kind: names for kind, names in grown.items() if names}


def instances(aws: StandIn) -> list[dict[str, object]]:
    return list(aws.client("rds").describe_db_instances()["DBInstances"])


@pytest.mark.timeout(1800)
def test_kept_data_is_adopted_by_the_next_deploy_and_goes_with_the_last_destroy(aws: StandIn, tmp_path: Path) -> None:
    settings = {
        "version": 1,
        "cloud": "aws",
        "name": "keeper",
        "terraform": {"plugin_dirs": [str(MIRROR)]},
        "infrastructure": {"database": "postgres", "deletion_protection": True},
    }
    (tmp_path / "platform.yaml").write_text(yaml.safe_dump(settings))
    before, run = aws.inventory(), aws.environment
    mlops(tmp_path, "deploy", "--yes", **run)
    first = more_than(before, aws.inventory())
    s3 = aws.client("s3")
    (store,) = (name for name in first["s3.list_buckets"] if "mlflow" in name)
    for text in (b"old", b"new"):
        s3.put_object(Bucket=store, Key="1/model", Body=text)

    kept = mlops(tmp_path, "destroy", "--yes", "--keep-data", **run).stdout
    assert "database snapshot keeper-" in kept
    assert "aws_s3_bucket keeper-" in kept
    assert "everything kept: " in kept
    assert "USD a month" in kept
    left = more_than(before, aws.inventory())
    assert set(left) == DATA
    assert left["s3.list_buckets"] == first["s3.list_buckets"]
    assert instances(aws) == []

    mlops(tmp_path, "deploy", "--yes", **run)
    assert more_than(before, aws.inventory())["s3.list_buckets"] == first["s3.list_buckets"]
    assert s3.get_object(Bucket=store, Key="1/model")["Body"].read() == b"new"
    assert len(instances(aws)) == 1
    assert "0 changes" in mlops(tmp_path, "deploy", "--yes", **run).stdout

    # The buckets are full and protected, and the snapshot is in nobody's state.
    gone = mlops(tmp_path, "destroy", "--yes", **run).stdout
    assert "snapshots keeper-" in gone
    assert aws.inventory() == before
    assert not (tmp_path / ".mlops").exists()

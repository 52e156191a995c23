"""Copies MLflow's artifacts where they lie on one volume of the cluster; of a bucket, its own cloud takes care.

They are read in MLflow's container, which has the keys; an archive of all objects comes over its standard output.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from platform_cli.cluster.execution import read_head, run_inside
from platform_cli.cluster.value_site import OBJECT_STORE
from platform_cli.events import Emit, Notice

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

ARTIFACTS = "artifacts.tar.gz"
_DESTINATION, _ENDPOINT = "--artifacts-destination=", "MLFLOW_S3_ENDPOINT_URL"
_TIMEOUT_S = 120.0
COPY = """
import json, os, sys, tarfile
import boto3
bucket, _, prefix = sys.argv[1].removeprefix('s3://').partition('/')
prefix = prefix.strip('/') + '/' if prefix.strip('/') else ''
client = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL'])
pages = client.get_paginator('list_objects_v2').paginate(Bucket=bucket, Prefix=prefix)
objects = [item for page in pages for item in page.get('Contents', ())]
# Copies of the database that the platform itself keeps there.
objects = [item for item in objects if not item['Key'].startswith(prefix + 'backups/')]
print(json.dumps({'count': len(objects), 'bytes': sum(item['Size'] for item in objects)}), flush=True)
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|') as archive:
    for item in objects:
        try:
            found = client.get_object(Bucket=bucket, Key=item['Key'])
        except client.exceptions.NoSuchKey:
            continue
        about = tarfile.TarInfo(item['Key'])
        about.size, about.mtime = found['ContentLength'], item['LastModified'].timestamp()
        archive.addfile(about, found['Body'])
"""


def save_artifacts(
    kubernetes: Kubernetes, pod: Mapping[str, Any], container: str, folder: Path, emit: Emit
) -> dict[str, Any]:
    """What became of the artifacts: the archive with its size, or where they stay.

    Raises:
        ToolError: they could not be read.
    """
    server = next(item for item in pod["spec"]["containers"] if item["name"] == container)
    store = find_store(server)
    if not is_on_cluster(server):
        return {"stay": store}
    name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
    argv = ("python", "-c", COPY, store)
    chunks = run_inside(kubernetes, name, space, argv, container=container, timeout_s=_TIMEOUT_S)
    head, first = read_head(chunks, "MLflow's artifacts")
    size = f"{head['count']} artifacts of MLflow's, {head['bytes'] / 1e6:.1f} MB"
    emit(Notice(level="info", text=f"copies {size}; --no-artifacts leaves them out"))
    path = folder / ARTIFACTS
    with gzip.open(path, "wb", compresslevel=1) as file:
        for chunk in itertools.chain((first,), chunks):
            file.write(chunk)
    path.chmod(0o600)
    return {"file": ARTIFACTS, **head}


def find_store(server: Mapping[str, Any]) -> str:
    """Where MLflow's container keeps artifacts, as a URI; empty when it does not say."""
    words = [*(server.get("command") or ()), *(server.get("args") or ())]
    return next((word.removeprefix(_DESTINATION) for word in words if word.startswith(_DESTINATION)), "")


def is_on_cluster(server: Mapping[str, Any]) -> bool:
    """Whether that is the store that the platform itself brings: one volume, and nobody else looks after it."""
    found = {item["name"]: item.get("value") or "" for item in server.get("env") or ()}
    host = urlsplit(found.get(_ENDPOINT, "")).hostname or ""
    return host.partition(".")[0] == OBJECT_STORE and find_store(server).startswith("s3://")

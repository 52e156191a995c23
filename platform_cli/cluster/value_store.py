"""Artifact stores as the charts of Argo and MLflow take them, told by their URI."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from platform_cli.cluster.outputs import ArtifactStore
from platform_cli.errors import ConfigError

ACCESS_KEY, SECRET_KEY = "access-key", "secret-key"
# What Argo itself takes when nothing is said.
_KEY_FORMAT = "{{workflow.name}}/{{pod.name}}"


def argo_repository(store: ArtifactStore, region: str) -> dict[str, Any]:
    """Values of argo-workflows that send every artifact and log to the store. `region` is the deployment's."""
    scheme, bucket, prefix = _split(store)
    match scheme:
        case "s3":
            return {
                "useStaticCredentials": bool(store.secret),
                "artifactRepository": {"s3": _argo_s3(store, bucket, prefix, store.region or region)},
            }
        case "gs":
            gcs = {"bucket": bucket, **_templated("keyFormat", prefix)}
            return {"artifactRepository": {"gcs": gcs}}
        case _:
            container, _, host = bucket.partition("@")
            azure = {"container": container, "endpoint": f"https://{host}", "useSDKCreds": True}
            return {"artifactRepository": {"azure": {**azure, **_templated("blobNameFormat", prefix)}}}


def mlflow_root(store: ArtifactStore, region: str) -> dict[str, Any]:
    """Values of mlflow that keep models and artifacts in the store."""
    scheme, bucket, prefix = _split(store)
    match scheme:
        case "s3":
            return _mlflow_s3(store, bucket, prefix, store.region or region)
        case "gs":
            return {"artifactRoot": {"gcs": {"enabled": True, "bucket": bucket, "path": prefix}}}
        case _:
            container, _, host = bucket.partition("@")
            account = host.partition(".")[0]
            blob = {"enabled": True, "container": container, "storageAccount": account, "path": prefix}
            return {"artifactRoot": {"azureBlob": blob}}


def _argo_s3(store: ArtifactStore, bucket: str, prefix: str, region: str) -> dict[str, Any]:
    address = urlsplit(store.endpoint or f"https://s3.{region}.amazonaws.com")
    values: dict[str, Any] = {
        "bucket": bucket,
        "endpoint": address.netloc,
        # Rendered empty when it is not set, which Argo refuses.
        "insecure": address.scheme == "http",
        "region": region,
    }
    if prefix:
        values["keyFormat"] = f"{prefix}/{_KEY_FORMAT}"
    if store.secret:
        values["accessKeySecret"] = {"name": store.secret, "key": ACCESS_KEY}
        values["secretKeySecret"] = {"name": store.secret, "key": SECRET_KEY}
    else:
        values["useSDKCreds"] = True
    return values


def _mlflow_s3(store: ArtifactStore, bucket: str, prefix: str, region: str) -> dict[str, Any]:
    s3: dict[str, Any] = {"enabled": True, "bucket": bucket, "path": prefix}
    if store.secret:
        keys = {"keyOfAccessKeyId": ACCESS_KEY, "keyOfSecretAccessKey": SECRET_KEY}
        s3["existingSecret"] = {"name": store.secret, **keys}
    environment = {"AWS_DEFAULT_REGION": region}
    if store.endpoint:
        environment["MLFLOW_S3_ENDPOINT_URL"] = store.endpoint
    return {"artifactRoot": {"s3": s3}, "extraEnvVars": environment}


def _templated(key: str, prefix: str) -> dict[str, str]:
    """A key format in a part of the chart that Helm reads as a template once more: its braces are escaped."""
    if not prefix:
        return {}
    return {key: f"{prefix}/{_KEY_FORMAT}".replace("{{", '{{ "{{" }}')}


def _split(store: ArtifactStore) -> tuple[str, str, str]:
    """Scheme, bucket (`container@host` for Azure) and folder.

    Raises:
        ConfigError: the URI is of no store that MLflow and Argo both know.
    """
    scheme, _, rest = store.uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme not in ("s3", "gs", "wasbs") or not bucket:
        raise ConfigError(
            f"artifact store {store.uri!r}: not s3://…, gs://… or wasbs://…", hint="set existing.artifact_store.uri"
        )
    return scheme, bucket, prefix.strip("/")

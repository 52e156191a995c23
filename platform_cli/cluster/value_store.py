"""Artifact stores as the charts of Argo and MLflow take them, told by their URI."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from platform_cli.cluster.outputs import ArtifactStore
from platform_cli.errors import ConfigError

ACCESS_KEY, SECRET_KEY = "access-key", "secret-key"
# What Argo itself takes when nothing is said.
_KEY_FORMAT = "{{workflow.name}}/{{pod.name}}"


def argo_values(store: ArtifactStore, region: str) -> dict[str, Any]:
    """Values of argo-workflows that send every artifact and log to the store. `region` is the deployment's."""
    repository = argo_repository(store, region)
    if "s3" in repository:
        return {"useStaticCredentials": bool(store.secret), "artifactRepository": repository}
    [(name, settings)] = repository.items()
    return {"artifactRepository": {name: {key: _escape(value) for key, value in settings.items()}}}


def argo_repository(store: ArtifactStore, region: str) -> dict[str, Any]:
    """The store as an artifact repository of Argo's. `region` is the deployment's."""
    scheme, bucket, prefix = _split(store)
    key_format = f"{prefix}/{_KEY_FORMAT}" if prefix else ""
    match scheme:
        case "s3":
            return {"s3": _argo_s3(store, bucket, key_format, store.region or region)}
        case "gs":
            return {"gcs": {"bucket": bucket, **({"keyFormat": key_format} if prefix else {})}}
        case _:
            container, _, host = bucket.partition("@")
            azure = {"container": container, "endpoint": f"https://{host}", "useSDKCreds": True}
            return {"azure": {**azure, **({"blobNameFormat": key_format} if prefix else {})}}


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


def _argo_s3(store: ArtifactStore, bucket: str, key_format: str, region: str) -> dict[str, Any]:
    address = urlsplit(store.endpoint or f"https://s3.{region}.amazonaws.com")
    values: dict[str, Any] = {
        "bucket": bucket,
        "endpoint": address.netloc,
        # Rendered empty when it is not set, which Argo refuses.
        "insecure": address.scheme == "http",
        "region": region,
    }
    if key_format:
        values["keyFormat"] = key_format
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


def _escape(value: object) -> object:
    """For a part of the chart that Helm reads as a template once more: the braces of a key format are text."""
    return value.replace("{{", '{{ "{{" }}') if isinstance(value, str) else value


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

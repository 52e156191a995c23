"""The API of one cluster: objects as plain data, every kind alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from platform_cli.errors import MlopsError, NotFoundError, ToolError
from platform_cli.tools.kubernetes_error import ApiAnswer, status_of
from platform_cli.tools.kubernetes_kind import KNOWN, Kind
from platform_cli.tools.kubernetes_transport import Request, Transport

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

__all__ = ["FIELD_MANAGER", "Kind", "Kubernetes", "status_of"]

FIELD_MANAGER = "mlops"
Object = dict[str, Any]
_NOT_FOUND, _GONE = 404, 410
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"


class Kubernetes:
    """One cluster's API. Nothing is asked before a method is called; threads may share it.

    Every method raises a PreflightError when the API cannot be reached or does not let us, and a ToolError with the
    API's own words when it refuses; `status_of` tells the HTTP status behind an error.

    Args:
        access: the way to it.
        timeout_s: for one request.
        patience_s: how long a restart of the API is waited out, once it has answered; None means as long.
    """

    def __init__(self, access: Access, *, timeout_s: float = 30, patience_s: float | None = None) -> None:
        self.access = access
        patience_s = timeout_s if patience_s is None else patience_s
        self.transport = Transport(access, timeout_s=timeout_s, patience_s=patience_s)
        self._kinds: dict[str, Mapping[str, Kind]] = {}

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """One object; None when it is not there. Without a namespace, the access' own."""
        try:
            return self._ask("GET", "get", kind, self._place(kind, namespace), name)
        except NotFoundError:
            return None

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", limit: int = 500
    ) -> Iterator[Object]:
        """Every object of a kind, in pages of `limit`; without a namespace, in all of them. None of an unknown kind."""
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": limit}
        token: str | None = ""
        while token is not None:
            page = self._list_page(kind, namespace, {**query, "continue": token})
            yield from (whole(item, kind) for item in page.get("items") or ())
            token = page["metadata"].get("continue") or None

    def list_page(self, kind: Kind, namespace: str | None, query: Mapping[str, Any]) -> Object:
        """One page of a list as the API gives it, with its resource version."""
        return self._ask("GET", "list", kind, namespace, "", query=query)

    def list_metadata(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Sequence[Object]:
        """Every object of a kind, without spec and status, for huge ones; without a namespace, in all of them."""
        query = {"labelSelector": labels} if labels else {}
        request = Request(
            method="GET", path=kind.path(namespace), verb="list", what=kind.resource, accept=_METADATA, query=query
        )
        # Of a kind that has no object yet the API says null.
        items = decode(self.transport.send(request).data).get("items") or ()
        return tuple({**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in items)

    def find_kind(self, api_version: str, kind: str) -> Kind | None:
        """The kind as this cluster serves it; None when it does not.

        One request per group and version, and another for each kind that is not there: it may have come meanwhile.
        """
        known = KNOWN.get((api_version, kind)) or self._kinds.get(api_version, {}).get(kind)
        if known is None:
            self._kinds.pop(api_version, None)
            known = self.list_kinds(api_version).get(kind)
        return known

    def apply(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Have an object as given (server-side apply); fields that others own and we name become ours.

        With `dry_run` the API only says what would be, policies and webhooks included.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "dryRun": "All" if dry_run else ""}
        kind, namespace, name = self._locate(obj)
        return self._ask("PATCH", "apply", kind, namespace, name, query=query, body=obj, content_type=_APPLY)

    def create(self, obj: Mapping[str, Any]) -> Object:
        """Make a new object; `metadata.generateName` lets the API finish its name."""
        kind, namespace, _ = self._locate(obj)
        query = {"fieldManager": FIELD_MANAGER}
        return self._ask("POST", "create", kind, namespace, "", query=query, body=obj, repeats=False)

    def patch(
        self, kind: Kind, name: str, namespace: str | None, patch: Mapping[str, Any], *, subresource: str = ""
    ) -> Object:
        """Change fields of an object (merge patch: None removes a field); returns all of it.

        Raises:
            NotFoundError: there is no such object.
        """
        return self._ask(
            "PATCH",
            "patch",
            kind,
            self._place(kind, namespace),
            name,
            subresource=subresource,
            query={"fieldManager": FIELD_MANAGER},
            body=patch,
            content_type=_MERGE,
        )

    def delete(self, kind: Kind, name: str, namespace: str | None = None, *, grace_s: int | None = None) -> bool:
        """Ask for an object's end; what it owns goes with it. False when it was not there."""
        query = {"propagationPolicy": "Background", "gracePeriodSeconds": grace_s}
        try:
            self._ask("DELETE", "delete", kind, self._place(kind, namespace), name, query=query)
        except NotFoundError:
            return False
        return True

    def watch(
        self, kind: Kind, namespace: str | None = None, *, name: str = "", labels: str = "", timeout_s: float
    ) -> Iterator[tuple[str, Object]]:
        """What is there (as ADDED), then every change, as (ADDED | MODIFIED | DELETED, object), until the time is up.

        Goes on after dropped connections and expired versions, and tells then what changed in between.
        """
        from platform_cli.tools.kubernetes_watch import follow

        fields = f"metadata.name={name}" if name else ""
        deadline = time.monotonic() + timeout_s
        return follow(self, kind, namespace, {"labelSelector": labels, "fieldSelector": fields}, deadline)

    def logs(
        self,
        pod: str,
        namespace: str,
        *,
        container: str,
        follow: bool = False,
        previous: bool = False,
        tail: int | None = None,
    ) -> Iterator[str]:
        """A container's log, line by line; with `follow` until it ends, over dropped connections.

        Raises:
            NotFoundError: there is no such pod.
            ToolError: the container has not started, or there is no such container.
        """
        from platform_cli.tools.kubernetes_log import read_log

        query = {"container": container, "previous": "true" if previous else "", "tailLines": tail}
        return read_log(self.transport, pod, namespace, query, follows=follow)

    def allows(self, verb: str, kind: Kind, namespace: str | None = None) -> bool:
        """Whether we may do that; without a namespace, in all of them. `kind.plural` may be `pods/log`."""
        resource, _, subresource = kind.plural.partition("/")
        asked = {"verb": verb, "group": kind.group, "resource": resource, "subresource": subresource}
        review = Kind(
            "authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
        )
        body = {
            "apiVersion": review.api_version,
            "kind": review.kind,
            "spec": {"resourceAttributes": {**asked, "namespace": namespace or ""}},
        }
        return bool(self._ask("POST", "create", review, None, "", body=body)["status"]["allowed"])

    def version(self) -> str:
        """The API's version, such as `v1.35.4`."""
        request = Request(method="GET", path="/version", verb="get", what="the version")
        return str(decode(self.transport.send(request).data)["gitVersion"])

    def _place(self, kind: Kind, namespace: str | None) -> str | None:
        return (namespace or self.access.namespace) if kind.namespaced else None

    def _locate(self, obj: Mapping[str, Any]) -> tuple[Kind, str | None, str]:
        kind = self.find_kind(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise ToolError(
                f"the cluster does not know {obj['kind']} ({obj['apiVersion']})",
                hint="its CustomResourceDefinition comes with a component: mlops deploy",
            )
        metadata = obj["metadata"]
        return kind, self._place(kind, metadata.get("namespace")), metadata.get("name", "")

    def _list_page(self, kind: Kind, namespace: str | None, query: Mapping[str, Any]) -> Object:
        """A page; when the list's version has expired meanwhile, the API hands over a token for the present rest."""
        try:
            return self.list_page(kind, namespace, query)
        except NotFoundError:
            return {"metadata": {}}
        except MlopsError as error:
            cause = error.__cause__
            fresh = cause.body.get("metadata", {}).get("continue") if isinstance(cause, ApiAnswer) else ""
            if status_of(error) != _GONE or not fresh:
                raise
            return self.list_page(kind, namespace, {**query, "continue": fresh})

    def list_kinds(self, api_version: str) -> Mapping[str, Kind]:
        """Every kind that the cluster serves in one group and version, by name; asked once."""
        if api_version not in self._kinds:
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            request = Request(method="GET", path=path, verb="get", what=f"the kinds of {api_version}")
            try:
                found = decode(self.transport.send(request).data)["resources"]
            except NotFoundError:
                found = []
            # Subresources such as pods/log come in the same list.
            self._kinds[api_version] = {
                item["kind"]: Kind(api_version, item["kind"], item["name"], namespaced=item["namespaced"])
                for item in found
                if "/" not in item["name"]
            }
        return self._kinds[api_version]

    def _ask(
        self,
        method: str,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        subresource: str = "",
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        repeats: bool = True,
    ) -> Object:
        place = f" in {namespace}" if namespace and kind.namespaced else ""
        request = Request(
            method=method,
            path=quote(kind.path(namespace, name, subresource)),
            verb=verb,
            what=f"{kind.resource}{f' {name}' if name else ''}{place}",
            query=query,
            body=None if body is None else msgspec.json.encode(body),
            content_type=content_type,
            repeats=repeats,
        )
        return decode(self.transport.send(request).data)


def decode(text: bytes) -> Object:
    """An answer of the API as plain data."""
    found: Object = msgspec.json.decode(text)
    return found


def whole(item: Object, kind: Kind) -> Object:
    """An item of a list with the two fields that lists leave out."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, **item}

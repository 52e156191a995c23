"""Stand-ins for what the clouds put between a token and a cluster.

Each authenticator answers `POST /authenticate` (TokenReview v1) as the webhook of EKS, AKS or GKE does, and checks
tokens for real: the signature of the STS question against the secret key, Entra's JWT against its key, Google's token
against what was issued. `EntraStandIn` and `GoogleStandIn` issue tokens to the clouds' own SDKs over the protocols that
these use in production (managed identity; service account and metadata server).
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import jwt

AKS_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
ADMINS = "system:masters"
_AWS_LIFETIME = timedelta(minutes=15)


class RefusedTokenError(Exception):
    """Why a token is not accepted."""


@dataclass(frozen=True)
class User:
    """Whom a token stands for."""

    name: str
    groups: tuple[str, ...] = (ADMINS,)


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answer:
    """What a stand-in says: a JSON document or text."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Server:
    """An HTTP server on 127.0.0.1 that hands each request to `answer`. Use it in a `with` statement."""

    def __init__(self, port: int = 0) -> None:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
                answer = stand_in.answer(asked)
                body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                self.send_response(answer.status)
                # A connection that stays open would be served by this thread when the next stand-in has the port.
                for name, value in {
                    "Content-Type": "application/json",
                    "Connection": "close",
                    **answer.headers,
                }.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET  # noqa: N815 - the name is http.server's

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Authenticator(Server):
    """A cluster's webhook. `reviews` holds whom each token stood for, or why it was refused."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.reviews: list[User | str] = []

    def answer(self, asked: Asked) -> Answer:
        # A real API server adds `?timeout=…`.
        if (asked.method, urlsplit(asked.path).path) != ("POST", "/authenticate"):
            return Answer({}, 404)
        review = json.loads(asked.body)
        status: dict[str, Any]
        try:
            user = self.find_user(review["spec"]["token"])
        except RefusedTokenError as error:
            self.reviews.append(str(error))
            status = {"authenticated": False, "error": str(error)}
        else:
            self.reviews.append(user)
            status = {"authenticated": True, "user": {"username": user.name, "groups": list(user.groups)}}
        return Answer({"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status})

    def find_user(self, token: str) -> User:
        raise NotImplementedError


class AwsAuthenticator(Authenticator):
    """As on EKS: asks STS the signed question, after checking that it is that question and for this cluster.

    Args:
        cluster: name of the cluster.
        sts: URL of the STS that is trusted, such as moto's; the token chooses no other.
        keys: access key id to secret key: STS' half of the check, which moto leaves out.
        users: ARN to user; None lets everybody in whom STS knows.
    """

    def __init__(
        self, cluster: str, sts: str, keys: Mapping[str, str], users: Mapping[str, User] | None = None, port: int = 0
    ) -> None:
        super().__init__(port)
        self._cluster, self._sts, self._keys, self._users = cluster, sts, keys, users

    def find_user(self, token: str) -> User:
        url = self._open(token)
        self._check_signature(url)
        arn = self._ask(url)
        if self._users is None:
            return User(arn)
        if arn not in self._users:
            raise RefusedTokenError(f"no access entry for {arn}")
        return self._users[arn]

    def _open(self, token: str) -> str:
        prefix, _, text = token.partition(".")
        if prefix != "k8s-aws-v1":
            raise RefusedTokenError("the token has another form")
        url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
        if f"{parts.scheme}://{parts.netloc}" != self._sts:
            raise RefusedTokenError(f"{parts.netloc} is not the STS of this region")
        if query.get("Action") != ["GetCallerIdentity"]:
            raise RefusedTokenError("the question is not who asks")
        if "x-k8s-aws-id" not in query["X-Amz-SignedHeaders"][0].split(";"):
            raise RefusedTokenError("the cluster's name is not signed")
        age = datetime.now(UTC) - datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if age > _AWS_LIFETIME or int(query["X-Amz-Expires"][0]) > _AWS_LIFETIME.total_seconds():
            raise RefusedTokenError("the token has expired")
        return url

    def _check_signature(self, url: str) -> None:
        """As STS does it: sign the same question with the secret key that only it and the asker know."""
        from botocore.auth import SigV4QueryAuth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        signature = query.pop("X-Amz-Signature")
        key, _, region, service, _ = query["X-Amz-Credential"].split("/")
        if key not in self._keys:
            raise RefusedTokenError(f"unknown access key {key}")
        auth = SigV4QueryAuth(Credentials(key, self._keys[key]), service, region)
        bare = urlunsplit(parts._replace(query=urlencode(query)))
        headers = {"host": parts.netloc, "x-k8s-aws-id": self._cluster}
        request = AWSRequest(method="GET", url=bare, headers=headers)
        request.context["timestamp"] = query["X-Amz-Date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if not secrets.compare_digest(auth.signature(text, request), signature):
            raise RefusedTokenError("the signature is not for this cluster, or not with this key")

    def _ask(self, url: str) -> str:
        # AWS reads the credential from the signed address; moto finds service and user by this header only.
        credential = parse_qs(urlsplit(url).query)["X-Amz-Credential"][0]
        signed = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=in-the-address"
        headers = {"x-k8s-aws-id": self._cluster, "Accept": "application/json", "Authorization": signed}
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read().decode()
        except urllib.error.URLError as error:
            raise RefusedTokenError(f"STS refused: {error}") from error
        if text.startswith("{"):
            return str(json.loads(text)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"])
        return text.partition("<Arn>")[2].partition("</Arn>")[0]


class EntraStandIn(Server):
    """Entra ID behind a managed identity's endpoint: what a pod, a VM or an App Service asks for a token.

    `environment` makes Azure's SDK ask here.
    """

    def __init__(self, user: str = "operator@example.com", groups: tuple[str, ...] = (ADMINS,), port: int = 0) -> None:
        super().__init__(port)
        self.key = secrets.token_hex(32)
        self.issuer = "https://sts.windows.net/test-tenant/"
        self._header = secrets.token_hex(16)
        self._user, self._groups = user, groups
        self.lifetime = timedelta(hours=1)

    @property
    def environment(self) -> dict[str, str]:
        return {"IDENTITY_ENDPOINT": f"{self.url}/msi/token", "IDENTITY_HEADER": self._header}

    def answer(self, asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query)
        headers = {name.upper(): value for name, value in asked.headers.items()}
        if headers.get("X-IDENTITY-HEADER") != self._header:
            return Answer({"statusCode": 400, "message": "no identity header"}, 400)
        expires = datetime.now(UTC) + self.lifetime
        claims = {"aud": query["resource"][0], "iss": self.issuer, "upn": self._user, "groups": list(self._groups)}
        token = jwt.encode({**claims, "exp": expires}, self.key, algorithm="HS256")
        seconds = str(int(expires.timestamp()))
        return Answer(
            {"access_token": token, "expires_on": seconds, "resource": query["resource"][0], "token_type": "Bearer"}
        )


class EntraAuthenticator(Authenticator):
    """As on AKS with Entra ID: the token must be Entra's, for the application of AKS, and not expired."""

    def __init__(self, entra: EntraStandIn, port: int = 0) -> None:
        super().__init__(port)
        self._entra = entra

    def find_user(self, token: str) -> User:
        try:
            claims = jwt.decode(
                token, self._entra.key, algorithms=["HS256"], audience=AKS_APPLICATION, issuer=self._entra.issuer
            )
        except jwt.InvalidTokenError as error:
            raise RefusedTokenError(str(error)) from error
        return User(claims["upn"], tuple(claims["groups"]))


@dataclass(frozen=True)
class Grant:
    """A token of Google's: whose, for what, until when."""

    email: str
    scopes: frozenset[str]
    expires: datetime


class GoogleStandIn(Server):
    """Google's token server and metadata server.

    `environment(folder)` makes Google's SDK log in with a service account's key; `metadata_environment` makes it ask
    the metadata server, as on GCE.
    """

    def __init__(self, email: str = "operator@project.iam.gserviceaccount.com", port: int = 0) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        super().__init__(port)
        self.email = email
        self.grants: dict[str, Grant] = {}
        self.lifetime = timedelta(hours=1)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self._key = key.private_bytes(serialization.Encoding.PEM, form, plain).decode()
        self._public = key.public_key()

    def environment(self, folder: Any) -> dict[str, str]:
        file = folder / "service-account.json"
        account = {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "test",
            "private_key": self._key,
            "client_email": self.email,
            "token_uri": f"{self.url}/token",
        }
        file.write_text(json.dumps(account))
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}

    @property
    def metadata_environment(self) -> dict[str, str]:
        # The detection reads a second name; both lead here.
        place = self.url.removeprefix("http://")
        return {"GCE_METADATA_HOST": place, "GCE_METADATA_IP": place, "GCE_METADATA_ROOT": place}

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return self._exchange(parse_qs(asked.body.decode()))
        if {name.lower(): value for name, value in asked.headers.items()}.get("metadata-flavor") != "Google":
            return Answer("", 403)
        flavor = {"Metadata-Flavor": "Google"}
        place = urlsplit(asked.path).path.rstrip("/")
        if place.endswith("/token"):
            scopes = parse_qs(urlsplit(asked.path).query).get("scopes", [""])[0].split(",")
            return Answer(self._grant(scopes), headers=flavor)
        if place.endswith("/project/project-id"):
            return Answer("project", headers={**flavor, "Content-Type": "text/plain"})
        account = {"email": self.email, "scopes": [], "aliases": ["default"]}
        return Answer(account, headers=flavor)

    def _exchange(self, form: Mapping[str, list[str]]) -> Answer:
        try:
            # The SDK names Google's own server as audience, wherever `token_uri` leads.
            audiences = [f"{self.url}/token", "https://oauth2.googleapis.com/token"]
            claims = jwt.decode(form["assertion"][0], self._public, algorithms=["RS256"], audience=audiences)
        except jwt.InvalidTokenError as error:
            return Answer({"error": "invalid_grant", "error_description": str(error)}, 400)
        if claims["iss"] != self.email:
            return Answer({"error": "invalid_grant", "error_description": "unknown account"}, 400)
        return Answer(self._grant(claims["scope"].split()))

    def _grant(self, scopes: list[str]) -> dict[str, Any]:
        token = f"ya29.{secrets.token_urlsafe(32)}"
        self.grants[token] = Grant(self.email, frozenset(scopes), datetime.now(UTC) + self.lifetime)
        return {"access_token": token, "expires_in": int(self.lifetime.total_seconds()), "token_type": "Bearer"}


class GoogleAuthenticator(Authenticator):
    """As on GKE: the token must be Google's, for the cloud platform, and not expired."""

    def __init__(self, google: GoogleStandIn, groups: tuple[str, ...] = (ADMINS,), port: int = 0) -> None:
        super().__init__(port)
        self._google, self._groups = google, groups

    def find_user(self, token: str) -> User:
        grant = self._google.grants.get(token)
        if grant is None:
            raise RefusedTokenError("Google does not know this token")
        if grant.expires < datetime.now(UTC):
            raise RefusedTokenError("the token has expired")
        if "https://www.googleapis.com/auth/cloud-platform" not in grant.scopes:
            raise RefusedTokenError("the token is not for the cloud platform")
        return User(grant.email, self._groups)

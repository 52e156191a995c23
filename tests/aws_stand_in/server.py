"""Which part of the stand-in answers: ours for the calls moto lacks, moto for the rest."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Request, Response

from aws_stand_in import ec2, rds, s3
from aws_stand_in.account import Account
from aws_stand_in.answers import AwsError, answer, refuse
from aws_stand_in.budgets import Budgets
from aws_stand_in.eks import AFTER_MOTO as AFTER_MOTO_EKS
from aws_stand_in.eks import INSTEAD_OF_MOTO, Call, State
from aws_stand_in.eks_state import Place, Thing

SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
BUDGETS_TARGET = "AWSBudgetServiceGateway."
AFTER_MOTO = {"ec2": ec2.after_moto, "rds": rds.after_moto}


def segments(request: Request) -> list[str]:
    """The parts of a path, each decoded by itself: an ARN holds slashes, but encoded ones."""
    return [unquote(part) for part in urlsplit(request.environ["REQUEST_URI"]).path.strip("/").split("/")]


class AwsStandIn:
    """A WSGI application that speaks AWS' APIs and keeps state."""

    def __init__(self, place: Place | None = None) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.place = place
        self.forget()
        self.one_at_a_time = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = Request(environ).get_data()
        request = Request({**environ, "wsgi.input": io.BytesIO(body)})
        environ["wsgi.input"] = io.BytesIO(body)
        if request.path == "/moto-api/reset":
            self.forget()
        scope = SCOPE.search(request.headers.get("Authorization", ""))
        service = scope["service"] if scope else ""
        own = self.account.answer(service, Request({**environ, "wsgi.input": io.BytesIO(body)}))
        if own is not None:
            return own(environ, start_response)
        if scope and service == "eks":
            call = self.eks_call(request, scope["region"])
            return self.eks_answer(call, environ, start_response)
        action = request.headers.get("X-Amz-Target", "").removeprefix(BUDGETS_TARGET)
        if service == "budgets" and action in Budgets.ACTIONS:
            return self.budgets_answer(action, request)(environ, start_response)
        answered = list(self.moto(environ, start_response))
        if service == "s3" and request.method == "PUT" and "policy" in request.args:
            s3.after_policy(segments(request)[0])
        if service == "budgets":
            self.budgets.after_moto(action, request.get_json(force=True))
        if scope and service in AFTER_MOTO:
            answered = [AFTER_MOTO[service](scope["region"], dict(parse_qsl(body.decode())), b"".join(answered))]
        return answered

    def forget(self) -> None:
        """Begin anew."""
        self.budgets, self.eks, self.account = Budgets(), State(self.place), Account()

    def eks_call(self, request: Request, region: str) -> Call:
        body = request.get_json(force=True) if request.get_data() else {}
        return Call(self.eks, request.method, segments(request), region, body, request.args.to_dict(flat=False))

    def eks_answer(self, call: Call, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            with self.one_at_a_time:
                result = self.own_answer(call)
        except AwsError as error:
            return refuse(error)(environ, start_response)
        if result is not None:
            return answer(result)(environ, start_response)
        answered = list(self.moto(environ, start_response))
        after = call.find(AFTER_MOTO_EKS)
        if after:
            after(call)
        return answered

    def own_answer(self, call: Call) -> Thing | None:
        """What we answer, or None for moto to answer. The same token is the same request, sent again."""
        instead, token = call.find(INSTEAD_OF_MOTO), call.body.get("clientRequestToken", "")
        if instead is None or token in self.eks.answered:
            return self.eks.answered.get(token)
        result: Thing | None = instead(call)
        if token and result is not None:
            self.eks.answered[token] = result
        return result

    def budgets_answer(self, action: str, request: Request) -> Response:
        try:
            return answer(self.budgets.call(action, request.get_json(force=True)))
        except AwsError as error:
            return refuse(error)

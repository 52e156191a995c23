"""What AWS says of an account itself and moto does not: quotas, simulated permissions, Kubernetes versions, names.

Documented at https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/, in IAM's SimulatePrincipalPolicy,
in EKS' DescribeClusterVersions and in S3's HeadBucket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from aws_stand_in.answers import AwsError, answer, refuse

QUOTAS_TARGET = "ServiceQuotasV20190624.GetServiceQuota"
VERSIONS = ("1.36", "1.35", "1.34")
# As AWS gives them to an account that has grown a little.
LIMITS = {
    "L-1216C47A": 256.0,
    "L-34B43A08": 256.0,
    "L-DB2E81BA": 64.0,
    "L-3819A6DF": 64.0,
    "L-0263D0A3": 5.0,
    "L-F678F1CE": 5.0,
    "L-1194D53C": 100.0,
}


@dataclass
class Account:
    """State that tests set: actions that are denied, questions that are refused, limits, buckets of others."""

    denied: set[str] = field(default_factory=set)
    forbids: bool = False
    knows_nobody: bool = False
    limits: dict[str, float] = field(default_factory=lambda: dict(LIMITS))
    taken: set[str] = field(default_factory=set)

    def answer(self, service: str, request: Request) -> Response | None:
        """Our answer, or None for the others to answer."""
        action = request.form.get("Action", "")
        if self.knows_nobody and action == "GetCallerIdentity":
            return denial(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if service == "iam" and action == "SimulatePrincipalPolicy":
            return self.simulate(request)
        if service == "servicequotas" and request.headers.get("X-Amz-Target") == QUOTAS_TARGET:
            return self.quota(request)
        if service == "eks" and request.path == "/cluster-versions":
            return answer({"clusterVersions": [{"clusterVersion": version} for version in VERSIONS]})
        bucket = request.path.strip("/")
        return Response(status=403) if request.method == "HEAD" and bucket in self.taken else None

    def simulate(self, request: Request) -> Response:
        if self.forbids:
            return denial(403, "AccessDenied", "User is not authorized to perform: iam:SimulatePrincipalPolicy")
        actions = [value for key, value in request.form.items() if key.startswith("ActionNames.member.")]
        members = "".join(
            f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>*</EvalResourceName>"
            f"<EvalDecision>{'implicitDeny' if action in self.denied else 'allowed'}</EvalDecision></member>"
            for action in actions
        )
        return Response(
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>"
            f"<EvaluationResults>{members}</EvaluationResults></SimulatePrincipalPolicyResult>"
            "<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>",
            content_type="text/xml",
        )

    def quota(self, request: Request) -> Response:
        wanted = request.get_json(force=True)
        key = wanted["QuotaCode"]
        if key not in self.limits:
            return refuse(AwsError("NoSuchResourceException", "The request failed because the quota does not exist."))
        found = {"ServiceCode": wanted["ServiceCode"], "QuotaCode": key, "Value": self.limits[key]}
        return answer({"Quota": found})


def denial(status: int, code: str, message: str) -> Response:
    """A refusal as the services with XML answers word it."""
    return Response(
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        "<RequestId>0</RequestId></ErrorResponse>",
        status=status,
        content_type="text/xml",
    )

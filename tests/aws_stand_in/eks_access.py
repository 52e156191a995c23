"""Access entries and the policies associated with them."""

from __future__ import annotations

import time
import uuid

from moto.core import DEFAULT_ACCOUNT_ID

from aws_stand_in.answers import AwsError
from aws_stand_in.eks_state import Call, Thing, in_use, missing

NODE_TYPES = {"EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2"}


def find_entry(call: Call) -> Thing:
    entry = call.extras.entries.get(call.names["principal"])
    if entry is None:
        raise missing(f"The specified principalArn could not be found: {call.names['principal']}.")
    return entry


def user_name(kind: str, principal: str) -> str:
    """The user that EKS gives a principal when the caller gives none."""
    if kind in NODE_TYPES:
        return "system:node:{{EC2PrivateDNSName}}"
    if ":role/" in principal:
        role = principal.rpartition("/")[2]
        return f"arn:aws:sts::{DEFAULT_ACCOUNT_ID}:assumed-role/{role}/{{{{SessionName}}}}"
    return principal


def make_entry(call: Call, principal: str, kind: str, tags: dict[str, str]) -> Thing:
    if principal in call.extras.entries:
        raise in_use("The specified access entry resource is already in use on this cluster.")
    entry = {
        "accessEntryArn": call.arn("access-entry", f"{principal.rpartition(':')[2]}/{uuid.uuid4()}"),
        "clusterName": call.names["cluster"],
        "createdAt": time.time(),
        "modifiedAt": time.time(),
        "kubernetesGroups": ["system:nodes"] if kind in NODE_TYPES else [],
        "principalArn": principal,
        "tags": tags,
        "type": kind,
        "username": user_name(kind, principal),
    }
    call.extras.entries[principal] = entry
    return entry


def create_entry(call: Call) -> Thing:
    if getattr(call.cluster, "access_config", {}).get("authenticationMode") == "CONFIG_MAP":
        raise AwsError(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP].",
        )
    body = call.body
    entry = make_entry(call, body["principalArn"], body.get("type", "STANDARD"), body.get("tags", {}))
    entry.update(
        kubernetesGroups=body.get("kubernetesGroups") or entry["kubernetesGroups"],
        username=body.get("username") or entry["username"],
    )
    return {"accessEntry": entry}


def list_entries(call: Call) -> Thing:
    return {"accessEntries": sorted(call.extras.entries)}


def describe_entry(call: Call) -> Thing:
    return {"accessEntry": find_entry(call)}


def update_entry(call: Call) -> Thing:
    entry = find_entry(call)
    wanted = {key: call.body[key] for key in ("kubernetesGroups", "username") if key in call.body}
    entry.update(wanted, modifiedAt=time.time())
    return {"accessEntry": entry}


def delete_entry(call: Call) -> Thing:
    find_entry(call)
    del call.extras.entries[call.names["principal"]]
    call.extras.policies.pop(call.names["principal"], None)
    return {}


def associate_policy(call: Call) -> Thing:
    entry, policy = find_entry(call), call.body["policyArn"]
    if entry["type"] != "STANDARD":
        raise AwsError("InvalidRequestException", f"An access entry of type {entry['type']} takes no access policies.")
    if ":cluster-access-policy/" not in policy:
        raise AwsError("InvalidParameterException", f"The policyArn parameter format is not valid: {policy}")
    association = {
        "accessScope": call.body["accessScope"],
        "associatedAt": time.time(),
        "modifiedAt": time.time(),
        "policyArn": policy,
    }
    call.extras.policies.setdefault(entry["principalArn"], {})[policy] = association
    return {
        "associatedAccessPolicy": association,
        "clusterName": call.names["cluster"],
        "principalArn": entry["principalArn"],
    }


def list_policies(call: Call) -> Thing:
    entry = find_entry(call)
    return {
        "associatedAccessPolicies": list(call.extras.policies.get(entry["principalArn"], {}).values()),
        "clusterName": call.names["cluster"],
        "principalArn": entry["principalArn"],
    }


def disassociate_policy(call: Call) -> Thing:
    policies = call.extras.policies.get(find_entry(call)["principalArn"], {})
    if policies.pop(call.names["policy"], None) is None:
        raise missing("No access policy association exists for the given policy and principal.")
    return {}

"""Add-ons and Pod Identity associations."""

from __future__ import annotations

import time
import uuid

from aws_stand_in.eks_state import Call, Thing, in_use, missing


def find_addon(call: Call) -> Thing:
    addon = call.extras.addons.get(call.names["addon"])
    if addon is None:
        raise missing(f"No addon: {call.names['addon']} found in cluster: {call.names['cluster']}")
    return addon


def create_addon(call: Call) -> Thing:
    name = call.body["addonName"]
    if name in call.extras.addons:
        raise in_use(f"Addon already exists: {name}")
    addon = {
        "addonName": name,
        "addonArn": call.arn("addon", f"{name}/{uuid.uuid4()}"),
        "addonVersion": call.body.get("addonVersion", "v1.0.0-eksbuild.1"),
        "clusterName": call.names["cluster"],
        "configurationValues": call.body.get("configurationValues", ""),
        "createdAt": time.time(),
        "modifiedAt": time.time(),
        "health": {"issues": []},
        "podIdentityAssociations": [],
        "status": "ACTIVE",
        "tags": call.body.get("tags", {}),
    }
    call.extras.addons[name] = addon
    return {"addon": addon | {"status": "CREATING"}}


def list_addons(call: Call) -> Thing:
    return {"addons": sorted(call.extras.addons)}


def describe_addon(call: Call) -> Thing:
    return {"addon": find_addon(call)}


def update_addon(call: Call) -> Thing:
    wanted = {key: call.body[key] for key in ("addonVersion", "configurationValues") if key in call.body}
    find_addon(call).update(wanted, modifiedAt=time.time())
    return call.update("AddonUpdate")


def delete_addon(call: Call) -> Thing:
    addon = find_addon(call)
    del call.extras.addons[call.names["addon"]]
    return {"addon": addon | {"status": "DELETING"}}


def find_association(call: Call) -> Thing:
    association = call.extras.associations.get(call.names["association"])
    if association is None:
        raise missing(f"The specified association ID {call.names['association']} was not found.")
    return association


def create_association(call: Call) -> Thing:
    key = (call.body["namespace"], call.body["serviceAccount"])
    taken = [
        other for other in call.extras.associations.values() if (other["namespace"], other["serviceAccount"]) == key
    ]
    if taken:
        raise in_use(f"Association already exists: {taken[0]['associationId']}")
    identity = f"a-{uuid.uuid4().hex[:17]}"
    association = {
        "associationId": identity,
        "associationArn": call.arn("podidentityassociation", identity),
        "clusterName": call.names["cluster"],
        "namespace": key[0],
        "serviceAccount": key[1],
        "roleArn": call.body["roleArn"],
        "createdAt": time.time(),
        "modifiedAt": time.time(),
        "tags": call.body.get("tags", {}),
    }
    call.extras.associations[identity] = association
    return {"association": association}


def list_associations(call: Call) -> Thing:
    wanted = {key: values[0] for key, values in call.query.items() if key in {"namespace", "serviceAccount"}}
    keys = ("associationId", "associationArn", "clusterName", "namespace", "serviceAccount")
    return {
        "associations": [
            {key: association[key] for key in keys}
            for association in call.extras.associations.values()
            if wanted.items() <= association.items()
        ]
    }


def describe_association(call: Call) -> Thing:
    return {"association": find_association(call)}


def update_association(call: Call) -> Thing:
    association = find_association(call)
    association.update({"roleArn": call.body.get("roleArn", association["roleArn"]), "modifiedAt": time.time()})
    return {"association": association}


def delete_association(call: Call) -> Thing:
    association = find_association(call)
    del call.extras.associations[call.names["association"]]
    return {"association": association}

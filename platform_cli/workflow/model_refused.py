"""Fields that Argo knows, or once knew, and that we refuse: what is wrong and what to write instead.

Keyed by the name of the model's class and the field. Structural reasons only; lint has the rest.
"""

from __future__ import annotations

CLUSTER_ONLY = "works on a cluster only and is not supported here"
_PLAIN_STEP = "write it as a container or script template"
_VOLUMES = "use configMap, secret, emptyDir, persistentVolumeClaim or projected"
_NEWER = "needs a newer Argo than the platform installs"
_NEWER_HINT = "remove it, or set it with podSpecPatch"
_SIDECAR_HINT = "give it a template of its own and pass files as artifacts"

REFUSED: dict[tuple[str, str], tuple[str, str]] = {
    ("Template", "resource"): (f"a resource template {CLUSTER_ONLY}", "call kubectl in a container template"),
    ("Template", "data"): (f"a data template {CLUSTER_ONLY}", _PLAIN_STEP),
    ("Template", "containerSet"): (f"a containerSet {CLUSTER_ONLY}", "write its containers as tasks of a dag"),
    ("Template", "plugin"): (f"a plugin template {CLUSTER_ONLY}", _PLAIN_STEP),
    ("Template", "daemon"): (f"a daemon {CLUSTER_ONLY}", "start the service inside the step that needs it"),
    ("Template", "sidecars"): (f"a sidecar {CLUSTER_ONLY}", _SIDECAR_HINT),
    ("Template", "initContainers"): (f"an init container {CLUSTER_ONLY}", "do its work in a task before this one"),
    ("Template", "priority"): (
        "was removed in Argo 4",
        "write priorityClassName, or synchronization order by spec.priority",
    ),
    ("Template", "podPriority"): ("was removed in Argo 4", "write priorityClassName"),
    ("Template", "podResources"): (_NEWER, _NEWER_HINT),
    ("Template", "resourceClaims"): (_NEWER, _NEWER_HINT),
    ("Template", "pendingTimeout"): (_NEWER, "write activeDeadlineSeconds"),
    ("Template", "when"): ("belongs to the task or step that calls the template", "move it there"),
    ("Template", "nodeName"): ("is not a field of templates", "write nodeSelector"),
    ("Spec", "podResources"): (_NEWER, _NEWER_HINT),
    ("Spec", "resourceClaims"): (_NEWER, _NEWER_HINT),
    ("Spec", "podPriority"): ("was removed in Argo 4", "write podPriorityClassName"),
    ("Spec", "executorPlugins"): (f"an executor plugin {CLUSTER_ONLY}", "remove it"),
    ("Spec", "schedule"): ("belongs to a CronWorkflow", "write a CronWorkflow with `schedules:`"),
    ("CronSpec", "schedule"): ("was removed in Argo 4", 'write `schedules: ["…"]`'),
    ("Synchronization", "mutex"): ("was removed in Argo 4", "write `mutexes: [{name: …}]`"),
    ("Synchronization", "semaphore"): (
        "was removed in Argo 4",
        "write `semaphores: [{configMapKeyRef: {name: …, key: …}}]`",
    ),
    ("Step", "dependencies"): ("belongs to the tasks of a dag", "steps run in the order of their lists"),
    ("Step", "depends"): ("belongs to the tasks of a dag", "steps run in the order of their lists"),
    ("Step", "retryStrategy"): ("belongs to the template, not to its call", "move it to the template"),
    ("Step", "inputs"): ("belongs to the template, not to its call", "write `arguments:` here"),
    ("CacheConfigMap", "key"): ("is not a field of a cache", "remove it: entries are found by `memoize.key`"),
    ("ValueFrom", "jsonPath"): ("works with resource templates only", "write the value to a file and use `path`"),
    ("ValueFrom", "jqFilter"): ("works with resource templates only", "write the value to a file and use `path`"),
    ("ValueFrom", "event"): ("works with event bindings only", "pass the value as an argument"),
    ("ValueFrom", "secretKeyRef"): ("is not a source of parameters", "use `env` with valueFrom.secretKeyRef"),
    ("Artifact", "plugin"): (f"a plugin artifact {CLUSTER_ONLY}", "use a file, or s3 on a cluster"),
    ("Artifact", "deleted"): ("is written by the controller", "remove it"),
    ("Outputs", "result"): ("is written by the controller", "remove it; refer to `outputs.result`"),
    ("Outputs", "exitCode"): ("is written by the controller", "remove it; refer to `exitCode`"),
    **{
        ("Volume", source): (f"a volume of this kind {CLUSTER_ONLY}", _VOLUMES)
        for source in (
            "awsElasticBlockStore",
            "azureDisk",
            "azureFile",
            "cephfs",
            "cinder",
            "csi",
            "downwardAPI",
            "ephemeral",
            "fc",
            "flexVolume",
            "flocker",
            "gcePersistentDisk",
            "gitRepo",
            "glusterfs",
            "hostPath",
            "image",
            "iscsi",
            "nfs",
            "photonPersistentDisk",
            "portworxVolume",
            "quobyte",
            "rbd",
            "scaleIO",
            "storageos",
            "vsphereVolume",
        )
    },
}

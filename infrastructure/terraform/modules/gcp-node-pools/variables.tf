variable "cluster_name" {
  description = "Name of the cluster; its nodes carry it as network tag."
  type        = string
  nullable    = false
}

variable "pools" {
  description = "Pools by name. min and max are totals over all zones; min = 0 lets the autoscaler take the last node away."
  type = map(object({
    instance_type = string
    min           = optional(number, 0)
    max           = optional(number, 3)
    desired       = optional(number, 0)
    disk_gb       = optional(number, 100)
    gpu           = optional(object({ type = optional(string, ""), count = optional(number, 0) }), {})
    spot          = optional(bool, false)
    labels        = optional(map(string), {})
    taints        = optional(list(object({ key = string, value = string, effect = string })), [])
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.pools) : can(regex("^[a-z]([a-z0-9-]{0,37}[a-z0-9])?$", name))])
    error_message = "A pool's name is 1 to 39 lower-case letters, digits and inner dashes and starts with a letter."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.min >= 0 && pool.min <= pool.desired && pool.desired <= pool.max && pool.max >= 1])
    error_message = "A pool has 0 <= min <= desired <= max, and max is 1 or more."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.gpu.count == 0 || pool.gpu.type != ""])
    error_message = "A pool with GPUs names their type, such as nvidia-l4."
  }
  validation {
    condition     = alltrue(flatten([for pool in values(var.pools) : [for taint in pool.taints : contains(["NoSchedule", "PreferNoSchedule", "NoExecute"], taint.effect)]]))
    error_message = "A taint's effect is NoSchedule, PreferNoSchedule or NoExecute."
  }
}

variable "project_id" {
  description = "Project that holds everything."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Google Cloud region, such as europe-west4."
  type        = string
  nullable    = false
}

variable "service_account" {
  description = "Mail address of the nodes' service account."
  type        = string
  nullable    = false
}

variable "zones" {
  description = "Zones of the nodes."
  type        = list(string)
  nullable    = false
}

variable "labels" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = {}
  nullable    = false
}

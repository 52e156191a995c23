variable "cluster_id" {
  description = "Resource id of the AKS cluster."
  type        = string
  nullable    = false
}

variable "pools" {
  description = "Pools by name. min = 0 lets the autoscaler take the last node away; spot nodes come back as capacity allows."
  type = map(object({
    instance_type = string
    min           = optional(number, 0)
    max           = optional(number, 3)
    desired       = optional(number, 0)
    disk_gb       = optional(number, 128)
    gpu           = optional(bool, false)
    spot          = optional(bool, false)
    labels        = optional(map(string), {})
    taints        = optional(list(object({ key = string, value = string, effect = string })), [])
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.pools) : can(regex("^[a-z][a-z0-9]{0,11}$", name))])
    error_message = "A pool's name is 1 to 12 lower-case letters and digits and starts with a letter: AKS takes no other."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.min >= 0 && pool.max >= 1 && pool.min <= pool.max])
    error_message = "A pool has 0 <= min <= max and max >= 1."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.min <= pool.desired && pool.desired <= pool.max])
    error_message = "A pool has min <= desired <= max."
  }
  validation {
    condition     = alltrue(flatten([for pool in values(var.pools) : [for taint in pool.taints : contains(["NoSchedule", "PreferNoSchedule", "NoExecute"], taint.effect)]]))
    error_message = "A taint's effect is NoSchedule, PreferNoSchedule or NoExecute."
  }
}

variable "subnet_id" {
  description = "Subnet of the nodes."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "zones" {
  description = "Availability zones of the nodes."
  type        = list(string)
  default     = ["1", "2", "3"]
  nullable    = false
}

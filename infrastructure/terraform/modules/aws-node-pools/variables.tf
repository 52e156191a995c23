variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false
}

variable "kubernetes_version" {
  description = "Kubernetes version of the nodes: the cluster's, so that they follow when it is upgraded."
  type        = string
  nullable    = false
}

variable "name_prefix" {
  description = "First part of the names of launch templates and instances."
  type        = string
  nullable    = false
}

variable "pools" {
  description = "Managed node groups by name. taints are written as Kubernetes writes them; gpu is empty or the accelerator's type."
  type = map(object({
    instance_types = list(string)
    min            = number
    max            = number
    desired        = number
    disk_gb        = number
    spot           = bool
    labels         = map(string)
    taints         = list(object({ key = string, value = string, effect = string }))
    gpu            = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.min >= 0 && pool.min <= pool.desired && pool.desired <= pool.max && pool.max >= 1])
    error_message = "A pool has 0 <= min <= desired <= max, and max is 1 or more."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : length(pool.instance_types) > 0])
    error_message = "A pool names one instance type or more."
  }
  validation {
    condition     = alltrue(flatten([for pool in values(var.pools) : [for taint in pool.taints : contains(["NoSchedule", "PreferNoSchedule", "NoExecute"], taint.effect)]]))
    error_message = "A taint's effect is NoSchedule, PreferNoSchedule or NoExecute."
  }
}

variable "role_name" {
  description = "Name of the nodes' role."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets of the nodes."
  type        = set(string)
  nullable    = false
}

variable "tags" {
  description = "Tags of everything, instances and volumes included."
  type        = map(string)
  default     = {}
  nullable    = false
}

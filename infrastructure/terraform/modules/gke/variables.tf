variable "kms_key_id" {
  description = "Key that encrypts Secrets in etcd."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name is 2 to 40 lower-case letters, digits and inner dashes and starts with a letter."
  }
}

variable "network" {
  description = "Network, subnet and the names of its ranges for pods and services."
  type        = object({ id = string, subnet_id = string, pods_range = string, services_range = string })
  nullable    = false
}

variable "node_account_id" {
  description = "Id of the nodes' service account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.node_account_id))
    error_message = "node_account_id is 6 to 30 lower-case letters, digits and inner dashes."
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

variable "zones" {
  description = "Zones of the nodes."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.zones) > 0
    error_message = "zones names at least one zone."
  }
}

variable "access" {
  description = "Is the API endpoint public, for which address ranges; who administers (members such as group:ml@example.com); days that audit logs are kept (a setting of the project's log bucket, not of the cluster)."
  type = object({
    public             = optional(bool, false)
    cidrs              = optional(set(string), [])
    admins             = optional(set(string), [])
    log_retention_days = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for cidr in var.access.cidrs : can(cidrhost(cidr, 0))])
    error_message = "access.cidrs holds address ranges such as 203.0.113.0/24."
  }
  validation {
    condition     = !var.access.public || length(var.access.cidrs) > 0
    error_message = "A public endpoint names who may reach it in access.cidrs; [\"0.0.0.0/0\"] is everybody."
  }
  validation {
    condition     = alltrue([for admin in var.access.admins : can(regex("^(user|group|serviceAccount|principal|principalSet):", admin))])
    error_message = "access.admins holds members such as group:ml@example.com."
  }
}

variable "auto_provisioning" {
  description = "Let GKE make pools of its own up to these limits; GPUs by accelerator, such as nvidia-l4. Without a limit for it an accelerator never comes."
  type = object({
    enabled       = optional(bool, true)
    max_cpu       = optional(number, 64)
    max_memory_gb = optional(number, 256)
    max_gpus      = optional(map(number), {})
  })
  default  = {}
  nullable = false
}

variable "control_plane_cidr" {
  description = "A /28 for the control plane, not part of the network."
  type        = string
  default     = "172.16.0.32/28"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.control_plane_cidr, 0)) && endswith(var.control_plane_cidr, "/28")
    error_message = "control_plane_cidr is a /28."
  }
}

variable "deletion_protection" {
  description = "Refuse deletion while true."
  type        = bool
  default     = true
  nullable    = false
}

variable "flow_logs" {
  description = "Flow records of pods (Dataplane V2 observability)."
  type        = bool
  default     = true
  nullable    = false
}

variable "kubernetes_version" {
  description = "Minor version; GKE picks and keeps up the patch."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version is a minor version such as 1.35."
  }
}

variable "tags" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = {}
  nullable    = false
}

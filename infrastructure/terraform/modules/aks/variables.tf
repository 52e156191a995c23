variable "applier_principal_id" {
  description = "Object id of whoever applies: administers the cluster where access.admins is empty."
  type        = string
  nullable    = false
}

variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "Where audit records go."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,52}[a-z0-9]$", var.name))
    error_message = "name is 2 to 54 lower-case letters, digits and inner dashes: AKS takes no longer DNS prefix."
  }
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "subnet_id" {
  description = "Subnet of the nodes."
  type        = string
  nullable    = false
}

variable "tenant_id" {
  description = "Entra tenant that knows the users."
  type        = string
  nullable    = false
}

variable "access" {
  description = "Is the API endpoint public, for which address ranges; who administers (ids of Entra groups; empty: whoever applies); days that audit logs are kept."
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
    condition     = alltrue([for admin in var.access.admins : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", admin))])
    error_message = "access.admins holds object ids of Entra groups."
  }
}

variable "cluster_cidrs" {
  description = "Ranges inside the cluster: pods (overlay, not routed outside) and services. They must not overlap the network."
  type        = object({ pods = optional(string, "10.244.0.0/16"), services = optional(string, "10.245.0.0/20") })
  default     = {}
  nullable    = false
}

variable "encryption" {
  description = "Keys of one's own: a disk encryption set for disks, a Key Vault key for secrets in etcd. Empty: keys that Azure manages."
  type        = object({ disk_encryption_set_id = optional(string, ""), kms_key_id = optional(string, "") })
  default     = {}
  nullable    = false
}

variable "flow_logs" {
  description = "Flow records of pods (Advanced Container Networking Services, billed by node)."
  type        = bool
  default     = true
  nullable    = false
}

variable "kubernetes_version" {
  description = "Minor version; Azure picks and keeps up the patch."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version is a minor version such as 1.35."
  }
}

variable "maintenance" {
  description = "When Azure may upgrade: day of the week and hour (UTC), for four hours."
  type        = object({ day = optional(string, "Sunday"), start_time = optional(string, "02:00") })
  default     = {}
  nullable    = false
}

variable "outbound_type" {
  description = "The nodes' way out: loadBalancer or userAssignedNATGateway."
  type        = string
  default     = "userAssignedNATGateway"
  nullable    = false

  validation {
    condition     = contains(["loadBalancer", "userAssignedNATGateway"], var.outbound_type)
    error_message = "outbound_type is loadBalancer or userAssignedNATGateway."
  }
}

variable "sku_tier" {
  description = "Free has no promise of availability; Standard has."
  type        = string
  default     = "Standard"
  nullable    = false

  validation {
    condition     = contains(["Free", "Standard"], var.sku_tier)
    error_message = "sku_tier is Free or Standard."
  }
}

variable "system_pool" {
  description = "Nodes of the system's own pods."
  type = object({
    instance_type = optional(string, "Standard_D2ds_v5")
    min           = optional(number, 1)
    max           = optional(number, 3)
    disk_gb       = optional(number, 64)
    os_disk_type  = optional(string, "Ephemeral")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.system_pool.min >= 1 && var.system_pool.max >= var.system_pool.min
    error_message = "system_pool: 1 <= min <= max."
  }
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

variable "containers" {
  description = "Container names by a key of the caller's choice."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.containers) : can(regex("^[a-z0-9]([a-z0-9]|-[a-z0-9]){2,62}$", name))])
    error_message = "A container's name is 3 to 63 lower-case letters, digits and single inner dashes."
  }
}

variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "Where records of reads and writes go."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the account, unique in the world."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.name))
    error_message = "name is 3 to 24 lower-case letters and digits."
  }
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "allowed_cidrs" {
  description = "Public address ranges that may reach the account beside the private endpoint. Azure takes no range smaller than /30 but single addresses."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/31")])
    error_message = "allowed_cidrs holds address ranges such as 203.0.113.0/24 or 203.0.113.7/32, never a /31."
  }
}

variable "deletion_protection" {
  description = "Refuse deletion (a lock) while true."
  type        = bool
  default     = true
  nullable    = false
}

variable "replication" {
  description = "Copies: LRS (one building), ZRS (three zones), GZRS (and another region)."
  type        = string
  default     = "ZRS"
  nullable    = false

  validation {
    condition     = contains(["LRS", "ZRS", "GZRS"], var.replication)
    error_message = "replication is LRS, ZRS or GZRS."
  }
}

variable "retention" {
  description = "Days that deleted objects and old versions stay, and after which objects go to the cool tier."
  type = object({
    deleted_days    = optional(number, 14)
    version_days    = optional(number, 90)
    cool_after_days = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.retention) : days >= 1 && days <= 365])
    error_message = "Each of retention is 1 to 365 days."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

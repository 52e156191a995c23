variable "entries" {
  description = "Secrets to make, by name. With a username the value is {username, password}, without one {key}. A higher version makes it anew."
  type        = map(object({ username = optional(string, ""), version = optional(number, 1) }))
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.entries) : can(regex("^[a-zA-Z0-9-]{1,127}$", name))])
    error_message = "A secret's name is 1 to 127 letters, digits and dashes."
  }
}

variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "Where records of every access go."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the vault, unique in the world."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name is 3 to 24 letters, digits and single inner dashes and starts with a letter."
  }
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "tenant_id" {
  description = "Entra tenant that knows the users."
  type        = string
  nullable    = false
}

variable "writers" {
  description = "Object ids of whoever applies, by name: they write the secrets once and see them in later plans."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.writers) > 0
    error_message = "Somebody has to write the secrets: name a writer."
  }
}

variable "allowed_cidrs" {
  description = "Public address ranges that may reach the vault beside the private endpoint. Empty: apply from inside the network."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "allowed_cidrs holds address ranges such as 203.0.113.0/24."
  }
}

variable "deletion_protection" {
  description = "Purge protection: a deleted vault stays, and so does its name, for 90 days. Azure never turns it off again."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

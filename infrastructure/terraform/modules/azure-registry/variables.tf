variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "Where records of logins, pushes and pulls go."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the registry, unique in the world."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9]{5,50}$", var.name))
    error_message = "name is 5 to 50 letters and digits."
  }
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "pullers" {
  description = "Principal ids of identities that pull images, by name."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "quarantine" {
  description = "Hide pushed images until a scanner frees them. Premium only."
  type        = bool
  default     = false
  nullable    = false
}

variable "sku" {
  description = "Basic, Standard or Premium. Premium is private, spans zones and forgets untagged images."
  type        = string
  default     = "Standard"
  nullable    = false

  validation {
    condition     = contains(["Basic", "Standard", "Premium"], var.sku)
    error_message = "sku is Basic, Standard or Premium."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "untagged_days" {
  description = "Days after which untagged images go. Premium only."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.untagged_days >= 1 && var.untagged_days <= 365
    error_message = "untagged_days is 1 to 365."
  }
}

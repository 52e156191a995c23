variable "environment" {
  description = "Third part of every name: dev, staging or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is dev, staging or prod."
  }
}

variable "deployment_id" {
  description = "What sweeps search for. Empty: derived from product, tenant, environment and scope, so that it is the same on every run."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9-]{3,30}[a-z0-9])?$", var.deployment_id))
    error_message = "deployment_id is 5 to 32 lower-case letters, digits and inner dashes, or empty."
  }
}

variable "owner" {
  description = "Who answers for the resources: a team's name or mail address."
  type        = string
  default     = "ml-platform"
  nullable    = false

  validation {
    condition     = length(trimspace(var.owner)) > 0
    error_message = "owner names a team or a mail address."
  }
}

variable "product" {
  description = "First part of every name."
  type        = string
  default     = "mlops"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,15}$", var.product))
    error_message = "product is 2 to 16 lower-case letters and digits and starts with a letter."
  }
}

variable "resources" {
  description = "Names wanted, by a key of the caller's choice. kind is a row of limits.tf; resource is the last part of the name (default: the key; empty: the prefix alone)."
  type = map(object({
    kind     = string
    resource = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for item in values(var.resources) : contains(keys(local.limits), item.kind)])
    error_message = "A resource's kind is a row of limits.tf: ${join(", ", keys(local.limits))}."
  }
  validation {
    condition     = alltrue([for key, item in var.resources : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$", item.resource == null ? key : item.resource))])
    error_message = "A resource's last part is lower-case letters, digits and inner dashes."
  }
}

variable "scope" {
  description = "What makes a deployment unique beside its names: account, subscription or project, and region. Goes into the derived deployment id."
  type        = string
  default     = ""
  nullable    = false
}

variable "tags" {
  description = "Further tags. The set of our own wins over them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : can(regex("^[a-zA-Z][a-zA-Z0-9_.:/@+-]{0,127}$", key)) && !startswith(lower(key), "aws:")])
    error_message = "A tag's key starts with a letter, holds letters, digits and _.:/@+-, and never starts with aws:."
  }
}

variable "tenant" {
  description = "Second part of every name: the team."
  type        = string
  default     = "core"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,19}$", var.tenant))
    error_message = "tenant is 1 to 20 lower-case letters and digits and starts with a letter."
  }
}

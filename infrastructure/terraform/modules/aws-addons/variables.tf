variable "addons" {
  description = "EKS add-ons by name: configuration (JSON in the add-on's own keys) and, where it talks to AWS, role and service account for Pod Identity."
  type = map(object({
    configuration   = optional(string, "")
    role_arn        = optional(string)
    service_account = optional(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for addon in values(var.addons) : addon.configuration == "" || can(jsondecode(addon.configuration))])
    error_message = "An add-on's configuration is JSON."
  }
  validation {
    condition     = alltrue([for addon in values(var.addons) : (addon.role_arn == null) == (addon.service_account == null)])
    error_message = "An add-on has both role_arn and service_account, or neither."
  }
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the add-ons."
  type        = map(string)
  default     = {}
  nullable    = false
}

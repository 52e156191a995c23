variable "addons" {
  description = "EKS add-ons: name to configuration, JSON in the add-on's own keys, or \"\" for its defaults."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for configuration in values(var.addons) : configuration == "" || can(jsondecode(configuration))])
    error_message = "An add-on's configuration is JSON."
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

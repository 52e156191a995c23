variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the workspace."
  type        = string
  nullable    = false
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "daily_quota_gb" {
  description = "Most that is taken in a day; -1 is no limit. What comes later that day is lost, audit records included."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.daily_quota_gb == -1 || var.daily_quota_gb > 0
    error_message = "daily_quota_gb is -1 or more than 0."
  }
}

variable "retention_days" {
  description = "How long records are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.retention_days >= 30 && var.retention_days <= 730
    error_message = "retention_days is 30 to 730: Azure keeps records neither shorter nor longer."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

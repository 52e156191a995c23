variable "billing_account" {
  description = "Id of the billing account that pays."
  type        = string
  nullable    = false
}

variable "monthly_amount" {
  description = "Amount a month, whole units of the billing account's currency."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_amount >= 1
    error_message = "monthly_amount is 1 or more."
  }
}

variable "name" {
  description = "Name of the budget."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "Number of the project that is watched."
  type        = string
  nullable    = false
}

variable "notification_channels" {
  description = "Cloud Monitoring channels that hear of it beside the billing administrators; with any, the project's owners hear, too."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.notification_channels) <= 5
    error_message = "Google takes at most five notification_channels."
  }
}

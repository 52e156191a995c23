variable "monthly_amount" {
  description = "Amount a month, in the currency of the billing account."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_amount > 0
    error_message = "monthly_amount is more than 0."
  }
}

variable "name" {
  description = "First part of the budgets' names."
  type        = string
  nullable    = false
}

variable "scopes" {
  description = "Resource ids of the resource groups that are watched, by name."
  type        = map(string)
  nullable    = false
}

variable "start_month" {
  description = "Month in which the budget is first made, such as 2026-11. Azure refuses an earlier one; later changes do nothing."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^20[0-9]{2}-(0[1-9]|1[0-2])$", var.start_month))
    error_message = "start_month is a year and a month, such as 2026-11."
  }
}

variable "alert_emails" {
  description = "Who hears of it beside the subscription's owners."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alert_emails holds mail addresses."
  }
}

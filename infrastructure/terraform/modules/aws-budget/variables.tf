variable "alert_emails" {
  description = "Who is told. Empty: the budget is shown in the console and tells nobody."
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails are mail addresses."
  }
  validation {
    condition     = length(var.alert_emails) <= 10
    error_message = "AWS takes 10 addresses at most."
  }
}

variable "deployment_id" {
  description = "Costs count that carry the tag deployment-id with this value. The tag has to be activated once for the account, under cost allocation tags."
  type        = string
  nullable    = false
}

variable "monthly_usd" {
  description = "The month's limit in US dollars."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_usd > 0
    error_message = "monthly_usd is more than 0."
  }
}

variable "name" {
  description = "Name of the budget."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the budget."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the key's alias, without alias/."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,250}$", var.name)) && !startswith(var.name, "aws-")
    error_message = "name is 1 to 250 letters, digits, _ and -, and does not start with aws-."
  }
}

variable "deletion_window_days" {
  description = "Days between the order to delete the key and its end. What it encrypted is lost after that."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "AWS takes 7 to 30 days."
  }
}

variable "tags" {
  description = "Tags of the key."
  type        = map(string)
  default     = {}
  nullable    = false
}

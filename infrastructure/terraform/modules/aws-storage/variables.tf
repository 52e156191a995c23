variable "buckets" {
  description = "Buckets by purpose: name, and the days after which objects go (0 = never)."
  type = map(object({
    name        = string
    expire_days = optional(number, 0)
  }))
  nullable = false

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.expire_days >= 0])
    error_message = "expire_days is 0 or more."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts every object."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether a bucket that holds objects refuses to go."
  type        = bool
  default     = true
  nullable    = false
}

variable "old_version_days" {
  description = "Days that a replaced or deleted object can still be brought back."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.old_version_days >= 1
    error_message = "old_version_days is 1 or more."
  }
}

variable "tags" {
  description = "Tags of the buckets."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "buckets" {
  description = "Bucket names, unique in the world, by a key of the caller's choice."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.buckets) : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", name)) && !startswith(name, "goog")])
    error_message = "A bucket's name is 3 to 63 lower-case letters, digits and inner dashes and does not start with goog."
  }
}

variable "kms_key_id" {
  description = "Key that encrypts objects."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project that holds everything."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Google Cloud region, such as europe-west4."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete a bucket that holds objects while true."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "retention" {
  description = "Days that deleted objects (0, or 7 to 90) and old versions stay, and after which objects go to the nearline class."
  type = object({
    deleted_days    = optional(number, 14)
    version_days    = optional(number, 90)
    cool_after_days = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.retention.deleted_days == 0 || (var.retention.deleted_days >= 7 && var.retention.deleted_days <= 90)
    error_message = "retention.deleted_days is 0, or 7 to 90."
  }
  validation {
    condition     = var.retention.version_days >= 1 && var.retention.cool_after_days >= 1
    error_message = "retention.version_days and retention.cool_after_days are 1 or more."
  }
}

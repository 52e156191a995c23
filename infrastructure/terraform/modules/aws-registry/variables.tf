variable "kms_key_arn" {
  description = "Key that encrypts the images. A repository keeps it for life."
  type        = string
  nullable    = false
}

variable "name" {
  description = "First part of the repositories' names, before the slash."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether a repository that holds images refuses to go."
  type        = bool
  default     = true
  nullable    = false
}

variable "keep_images" {
  description = "Tagged images that a repository keeps; untagged ones go after a week."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.keep_images >= 1
    error_message = "keep_images is 1 or more."
  }
}

variable "repositories" {
  description = "Repositories to make: one for each image, as a push makes none."
  type        = set(string)
  default     = ["mlops-serving", "mlops-tracking", "mlops-training"]
  nullable    = false

  validation {
    condition     = alltrue([for name in var.repositories : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*$", name))])
    error_message = "A repository's name is lower-case letters and digits with single . _ or - between them."
  }
}

variable "tags" {
  description = "Tags of the repositories."
  type        = map(string)
  default     = {}
  nullable    = false
}

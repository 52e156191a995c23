variable "name" {
  description = "Id of the repository."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.name))
    error_message = "name is 2 to 63 lower-case letters, digits and inner dashes and starts with a letter."
  }
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

variable "immutable_tags" {
  description = "A tag once pushed stays with its image."
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

variable "readers" {
  description = "Members that pull images, by name."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "scan" {
  description = "Scan images on push where the project's Container Scanning API is on (billed by image)."
  type        = bool
  default     = true
  nullable    = false
}

variable "untagged_days" {
  description = "Days after which untagged images go; the ten newest of each stay."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.untagged_days >= 1
    error_message = "untagged_days is 1 or more."
  }
}

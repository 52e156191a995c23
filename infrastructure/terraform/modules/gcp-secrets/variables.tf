variable "entries" {
  description = "Secrets to make, by key. With a username the value is {username, password}, without one {key}. A higher version makes it anew."
  type        = map(object({ name = string, username = optional(string, ""), version = optional(number, 1) }))
  nullable    = false

  validation {
    condition     = alltrue([for entry in values(var.entries) : can(regex("^[a-zA-Z0-9_-]{1,255}$", entry.name))])
    error_message = "A secret's name is 1 to 255 letters, digits, _ and -."
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

variable "deletion_protection" {
  description = "Refuse deletion while true."
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
  description = "Members that read the secrets, by name."
  type        = map(string)
  default     = {}
  nullable    = false
}

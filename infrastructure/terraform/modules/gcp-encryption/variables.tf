variable "keys" {
  description = "Keys by name, each with the service agents that use it."
  type        = map(set(string))
  nullable    = false
}

variable "name" {
  description = "First part of the key ring's name."
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

variable "generation" {
  description = "Last part of the key ring's name: raise it after a destroy."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.generation >= 1 && floor(var.generation) == var.generation
    error_message = "generation is a whole number from 1."
  }
}

variable "labels" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = {}
  nullable    = false
}

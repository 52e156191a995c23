variable "cidr" {
  description = "Address space of nodes, pods, services and managed services: a /16 to /18."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 99) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 18
    error_message = "cidr is an IPv4 range from /16 to /18."
  }
}

variable "name" {
  description = "Name of the network."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,53}[a-z0-9]$", var.name))
    error_message = "name is 2 to 55 lower-case letters, digits and inner dashes and starts with a letter."
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

variable "flow_logs" {
  description = "Log the subnet's flows."
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

variable "nat" {
  description = "Way out of the nodes: none, or single or per_zone, which are the same on Google Cloud."
  type        = string
  default     = "single"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat is none, single or per_zone."
  }
}

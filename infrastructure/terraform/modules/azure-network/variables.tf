variable "cidr" {
  description = "Address space of the network: a /16 to /20."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 99) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 20
    error_message = "cidr is an IPv4 range from /16 to /20."
  }
}

variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "Where flow logs go."
  type        = string
  nullable    = false
}

variable "names" {
  description = "Names of the network, the way out and both subnets with their security groups."
  type        = object({ endpoints = string, nat = string, network = string, nodes = string })
  nullable    = false
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "zones" {
  description = "Availability zones in use."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.zones) > 0 && alltrue([for zone in var.zones : contains(["1", "2", "3"], zone)])
    error_message = "zones holds at least one of \"1\", \"2\", \"3\"."
  }
}

variable "flow_logs" {
  description = "Log what the security groups allow and refuse."
  type        = bool
  default     = true
  nullable    = false
}

variable "nat" {
  description = "Way out of the nodes: none (the cluster's load balancer), single (one zone) or per_zone (a gateway that outlives a zone)."
  type        = string
  default     = "single"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat is none, single or per_zone."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "endpoints" {
  description = "Services to reach from inside, by name: the resource, its sub-resource and Azure's private DNS zone for it."
  type = map(object({
    resource_id = string
    subresource = string
    zone        = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : startswith(endpoint.zone, "privatelink.")])
    error_message = "Azure's private DNS zones start with privatelink."
  }
}

variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "name" {
  description = "First part of the endpoints' names."
  type        = string
  nullable    = false
}

variable "network_id" {
  description = "Virtual network that resolves the names."
  type        = string
  nullable    = false
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "subnet_id" {
  description = "Subnet of the endpoints."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "identities" {
  description = "One identity per component: the service account that becomes it, and what it may do where (role and scope)."
  type = map(object({
    namespace       = string
    service_account = string
    grants          = optional(map(object({ role = string, scope = string })), {})
  }))
  nullable = false

  validation {
    condition     = alltrue(flatten([for identity in values(var.identities) : [for grant in values(identity.grants) : !contains(["Owner", "Contributor", "User Access Administrator"], grant.role)]]))
    error_message = "A component never owns a scope nor hands out roles: name the data role it needs."
  }
}

variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "name" {
  description = "First part of the identities' names."
  type        = string
  nullable    = false
}

variable "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  type        = string
  nullable    = false
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that encrypts the secrets."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = "Secrets to make, by key: name in Secrets Manager and either the user that a password belongs to, or \"\" for a bare key."
  type = map(object({
    name        = string
    description = string
    username    = optional(string, "")
  }))
  nullable = false
}

variable "deletion_protection" {
  description = "Whether a deleted secret can be brought back for 30 days. Its name stays taken for as long."
  type        = bool
  default     = true
  nullable    = false
}

variable "secrets_version" {
  description = "A higher number makes all values anew. Who uses them has to be started again."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version is a whole number from 1."
  }
}

variable "tags" {
  description = "Tags of the secrets."
  type        = map(string)
  default     = {}
  nullable    = false
}

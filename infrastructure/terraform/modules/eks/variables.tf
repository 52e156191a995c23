variable "kms_key_arn" {
  description = "Key that encrypts the cluster's Secrets and its logs. The cluster keeps it for life."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$", var.name))
    error_message = "name is 1 to 100 letters, digits, _ and -."
  }
}

variable "role_name" {
  description = "Name of the control plane's role."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets for the control plane's interfaces, in two zones or more."
  type        = set(string)
  nullable    = false
}

variable "access" {
  description = "Is the API endpoint public (and for which cidrs), which IAM principals administer the cluster (empty: whoever applies), how many days logs are kept."
  type = object({
    public             = optional(bool, false)
    cidrs              = optional(set(string), [])
    admins             = optional(set(string), [])
    log_retention_days = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.access.public || length(var.access.cidrs) > 0
    error_message = "A public endpoint names the cidrs that may reach it; 0.0.0.0/0 has to be written out."
  }
  validation {
    condition     = alltrue([for cidr in var.access.cidrs : can(cidrnetmask(cidr))])
    error_message = "access.cidrs are IPv4 ranges such as 192.0.2.0/24."
  }
  validation {
    condition     = alltrue([for arn in var.access.admins : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "access.admins are ARNs of IAM roles or users; for an SSO role take the role's ARN, not the session's."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version, major and minor."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version is major and minor, such as 1.35."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

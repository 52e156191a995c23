variable "client_security_group_id" {
  description = "Security group that may connect: the cluster's."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that encrypts storage, insights and logs."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the instance."
  type        = string
  nullable    = false
}

variable "secret_arn" {
  description = "Secret with the owner's username and password as JSON. Read during apply only."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets without a way out, in two zones or more."
  type        = set(string)
  nullable    = false
}

variable "username" {
  description = "The owner's name, the same as in the secret."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
  nullable    = false
}

variable "database_name" {
  description = "Name of the database in the instance."
  type        = string
  default     = "mlflow"
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether the instance refuses to go, and leaves a last snapshot when it does."
  type        = bool
  default     = true
  nullable    = false
}

variable "engine_version" {
  description = "Major version of PostgreSQL. Minor ones come by themselves in the maintenance window."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{2}$", var.engine_version))
    error_message = "engine_version is a major version such as 17."
  }
}

variable "secret_version" {
  description = "A higher number sets the password anew from the secret."
  type        = number
  default     = 1
  nullable    = false
}

variable "size" {
  description = "Instance type, storage in GB (it may grow to four times that), a standby in another zone, days of backups."
  type = object({
    instance_type     = optional(string, "db.t4g.small")
    storage_gb        = optional(number, 20)
    high_availability = optional(bool, false)
    backup_days       = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.size.instance_type, "db.")
    error_message = "An RDS instance type starts with db., such as db.t4g.small."
  }
  validation {
    condition     = var.size.storage_gb >= 20 && var.size.storage_gb <= 16384
    error_message = "gp3 storage has 20 to 16384 GB."
  }
  validation {
    condition     = var.size.backup_days >= 1 && var.size.backup_days <= 35
    error_message = "RDS keeps backups for 1 to 35 days."
  }
}

variable "snapshot" {
  description = "restore: the snapshot to begin with. final: the name of the last one, taken whatever the protection; without a name it follows the protection."
  type = object({
    final   = optional(string, "")
    restore = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in values(var.snapshot) : can(regex("^([a-zA-Z](-?[a-zA-Z0-9])*)?$", name))])
    error_message = "A snapshot's name has letters, digits and single hyphens, and begins with a letter."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the instance. Google keeps it for a week after deletion."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,78}[a-z0-9]$", var.name))
    error_message = "name is 2 to 80 lower-case letters, digits and inner dashes and starts with a letter."
  }
}

variable "network_id" {
  description = "Network from which it is reached, known only when managed services may join it."
  type        = string
  nullable    = false
}

variable "password" {
  description = "The user's password. It goes to the server and nowhere else: neither plan nor state holds it."
  type        = string
  nullable    = false
  ephemeral   = true
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

variable "backup_days" {
  description = "Daily backups kept, on top of seven days in which any moment can be restored."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 365
    error_message = "backup_days is 1 to 365."
  }
}

variable "database_name" {
  description = "Name of the database in the instance."
  type        = string
  default     = "mlflow"
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse deletion while true."
  type        = bool
  default     = true
  nullable    = false
}

variable "high_availability" {
  description = "A standby in another zone."
  type        = bool
  default     = false
  nullable    = false
}

variable "instance_type" {
  description = "Tier, such as db-f1-micro or db-custom-2-7680."
  type        = string
  default     = "db-custom-2-7680"
  nullable    = false

  validation {
    condition     = startswith(var.instance_type, "db-")
    error_message = "instance_type is a tier that starts with db-, such as db-custom-2-7680."
  }
}

variable "labels" {
  description = "Labels of everything that takes some."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "login" {
  description = "The user's name."
  type        = string
  default     = "mlflow"
  nullable    = false
}

variable "password_version" {
  description = "A higher version sets the password anew."
  type        = number
  default     = 1
  nullable    = false
}

variable "postgres_version" {
  description = "Major version of PostgreSQL, as Google writes it."
  type        = string
  default     = "POSTGRES_17"
  nullable    = false

  validation {
    condition     = can(regex("^POSTGRES_[0-9]+$", var.postgres_version))
    error_message = "postgres_version is such as POSTGRES_17."
  }
}

variable "storage_gb" {
  description = "Size of the disk at birth; it grows by itself."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.storage_gb >= 10
    error_message = "storage_gb is 10 or more."
  }
}

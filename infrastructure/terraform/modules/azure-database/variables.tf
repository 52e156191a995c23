variable "location" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "Where the server's log goes."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the server, unique in the world."
  type        = string
  nullable    = false
}

variable "password" {
  description = "The administrator's password. It goes to the server and nowhere else: neither plan nor state holds it."
  type        = string
  nullable    = false
  ephemeral   = true
}

variable "resource_group_name" {
  description = "Resource group that holds everything."
  type        = string
  nullable    = false
}

variable "backup_days" {
  description = "Days that backups are kept; any moment in them can be restored."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35
    error_message = "backup_days is 7 to 35: Azure keeps backups neither shorter nor longer."
  }
}

variable "database_name" {
  description = "Name of the database in the server."
  type        = string
  default     = "mlflow"
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse deletion (a lock) while true."
  type        = bool
  default     = true
  nullable    = false
}

variable "geo_redundant_backup" {
  description = "Keep backups in the paired region, too. Changing it makes the server anew."
  type        = bool
  default     = false
  nullable    = false
}

variable "high_availability" {
  description = "A standby in another zone."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.high_availability || !startswith(var.instance_type, "B_")
    error_message = "High availability needs an instance_type of GP_ or MO_: Azure has none for burstable servers."
  }
}

variable "instance_type" {
  description = "Size of the server, such as B_Standard_B1ms or GP_Standard_D2ds_v5."
  type        = string
  default     = "GP_Standard_D2ds_v5"
  nullable    = false

  validation {
    condition     = can(regex("^(B|GP|MO)_Standard_[A-Za-z0-9_]+$", var.instance_type))
    error_message = "instance_type starts with B_, GP_ or MO_, such as B_Standard_B1ms."
  }
}

variable "login" {
  description = "The administrator's name."
  type        = string
  default     = "mlflow"
  nullable    = false

  validation {
    condition     = !contains(["admin", "administrator", "azure_pg_admin", "azure_superuser", "guest", "public", "root"], var.login) && !startswith(var.login, "pg_")
    error_message = "login is a name that Azure does not keep for itself."
  }
}

variable "password_version" {
  description = "A higher version sets the password anew."
  type        = number
  default     = 1
  nullable    = false
}

variable "postgres_version" {
  description = "Major version of PostgreSQL."
  type        = string
  default     = "17"
  nullable    = false
}

variable "storage_gb" {
  description = "Size of the disk; it grows by itself."
  type        = number
  default     = 32
  nullable    = false

  validation {
    condition     = contains([32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767], var.storage_gb)
    error_message = "storage_gb is a size that Azure has: 32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384 or 32767."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is dev, staging or prod."
  }
}

variable "region" {
  description = "Azure location, such as westeurope."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]+$", var.region))
    error_message = "region is an Azure location in its short form, such as westeurope."
  }
}

variable "azure" {
  description = "What only Azure has: the month in which a budget starts (such as 2026-11), keys of one's own, quarantine of pushed images, the secrets' version (a higher one makes them anew)."
  type = object({
    budget_start_month     = optional(string, "")
    disk_encryption_set_id = optional(string, "")
    kms_key_id             = optional(string, "")
    registry_quarantine    = optional(bool, false)
    secrets_version        = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.budget.monthly_usd == 0 || var.azure.budget_start_month != ""
    error_message = "A budget needs azure.budget_start_month: Azure wants the month in which it starts, such as 2026-11."
  }
}

variable "budget" {
  description = "Most that a month may cost (0: no budget) and who hears at 50, 80 and 100 %, and when 100 % is forecast."
  type = object({
    monthly_usd  = optional(number, 0)
    alert_emails = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.budget.monthly_usd >= 0
    error_message = "budget.monthly_usd is 0 or more."
  }
}

variable "cluster_access" {
  description = "Is the API endpoint public and for which cidrs (they reach vault and storage, public or not), who administers (ids of Entra groups; empty: whoever applies), days that logs are kept."
  type = object({
    public             = optional(bool, false)
    cidrs              = optional(set(string), [])
    admins             = optional(set(string), [])
    log_retention_days = optional(number, 90)
  })
  default  = {}
  nullable = false
}

variable "database" {
  description = "MLflow's database: engine sqlite (nothing is made) or postgres, and its size. What is not set comes from the profile."
  type = object({
    engine            = optional(string)
    instance_type     = optional(string)
    storage_gb        = optional(number)
    high_availability = optional(bool)
    backup_days       = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.database.engine == null ? true : contains(["sqlite", "postgres"], var.database.engine)
    error_message = "database.engine is sqlite or postgres."
  }
}

variable "deletion_protection" {
  description = "Database, cluster (where the cloud has it) and buckets refuse to go while true."
  type        = bool
  default     = true
  nullable    = false
}

variable "deployment_id" {
  description = "What sweeps search for. Empty: derived from names, account and region."
  type        = string
  default     = ""
  nullable    = false
}

variable "kubernetes_version" {
  description = "Kubernetes version, major and minor."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version is a minor version such as 1.35."
  }
}

variable "network" {
  description = "Address space, number of zones, way out (none, single, per_zone) and flow logs. What is not set comes from the profile."
  type = object({
    cidr      = optional(string)
    zones     = optional(number)
    nat       = optional(string)
    flow_logs = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.network.nat == null ? true : contains(["none", "single", "per_zone"], var.network.nat)
    error_message = "network.nat is none, single or per_zone."
  }
  validation {
    condition     = var.network.zones == null ? true : contains([1, 2, 3], var.network.zones)
    error_message = "network.zones is 1, 2 or 3."
  }
}

variable "node_pools" {
  description = "Overrides for the pools general, training and gpu; more keys make more pools. What is not set comes from the profile."
  type = map(object({
    instance_types = optional(list(string))
    min            = optional(number)
    max            = optional(number)
    desired        = optional(number)
    disk_gb        = optional(number)
    spot           = optional(bool)
    labels         = optional(map(string))
    gpu            = optional(object({ type = optional(string), count = optional(number) }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for pool in values(var.node_pools) : pool.instance_types == null ? true : length(pool.instance_types) == 1])
    error_message = "A pool has one instance type: AKS' pools cannot mix them."
  }
}

variable "owner" {
  description = "Who answers for the resources: a team's name or mail address."
  type        = string
  default     = "ml-platform"
  nullable    = false
}

variable "product" {
  description = "First part of every name."
  type        = string
  default     = "mlops"
  nullable    = false
}

variable "profile" {
  description = "Sizes and high availability, nothing else: minimal, standard or production."
  type        = string
  default     = "standard"
  nullable    = false

  validation {
    condition     = contains(["minimal", "standard", "production"], var.profile)
    error_message = "profile is minimal, standard or production."
  }
}

variable "subscription_id" {
  description = "Subscription that holds everything. Empty: the environment variable ARM_SUBSCRIPTION_ID."
  type        = string
  default     = ""
  nullable    = false
}

variable "tags" {
  description = "Added to the tag set of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tenant" {
  description = "Second part of every name: the team."
  type        = string
  default     = "core"
  nullable    = false
}

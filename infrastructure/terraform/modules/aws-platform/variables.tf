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
  description = "AWS region, such as eu-west-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is an AWS region such as eu-west-1."
  }
}

variable "autoscaler" {
  description = "karpenter: pools with min 0 are described in the output node_pools and made as NodePools on the cluster. cluster-autoscaler: every pool is a managed node group."
  type        = string
  default     = "karpenter"
  nullable    = false

  validation {
    condition     = contains(["karpenter", "cluster-autoscaler"], var.autoscaler)
    error_message = "autoscaler is karpenter or cluster-autoscaler."
  }
}

variable "budget" {
  description = "The month's limit in US dollars (0 = no budget) and who is told at 50, 80 and 100 % and at a forecast of 100 %."
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
  description = "Is the API endpoint public (and for which cidrs), which IAM principals administer the cluster (empty: whoever applies), how many days its logs are kept."
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
  description = "MLflow's database. engine is sqlite (nothing is made here) or postgres. Unset: the profile's values."
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
    condition     = var.database.engine == null || contains(["sqlite", "postgres"], coalesce(var.database.engine, "sqlite"))
    error_message = "database.engine is sqlite or postgres."
  }
}

variable "database_snapshot" {
  description = "Of MLflow's database: restore is the snapshot to begin with, final the name of the one to leave. mlops destroy --keep-data and the deploy after it set them."
  type = object({
    final   = optional(string, "")
    restore = optional(string, "")
  })
  default  = {}
  nullable = false
}

variable "deletion_protection" {
  description = "Whether database, buckets, images and secrets refuse to go."
  type        = bool
  default     = true
  nullable    = false
}

variable "deployment_id" {
  description = "What sweeps search for, as the tag deployment-id. Empty: derived from names, account and region."
  type        = string
  default     = ""
  nullable    = false
}

variable "kubernetes_version" {
  description = "Kubernetes version, major and minor."
  type        = string
  default     = "1.35"
  nullable    = false
}

variable "network" {
  description = "Address range, zones, way out of private nodes (none, single or per_zone), flow logs. Unset: the profile's values."
  type = object({
    cidr      = optional(string, "10.0.0.0/16")
    zones     = optional(number, 3)
    nat       = optional(string)
    flow_logs = optional(bool)
  })
  default  = {}
  nullable = false
}

variable "node_pools" {
  description = "Overrides of the profile's pools general, training and gpu; another key makes another pool."
  type = map(object({
    instance_types = optional(list(string))
    min            = optional(number)
    max            = optional(number)
    desired        = optional(number)
    disk_gb        = optional(number)
    spot           = optional(bool)
    labels         = optional(map(string))
    gpu            = optional(object({ type = string, count = number }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key, pool in var.node_pools : contains(["general", "training", "gpu"], key) || pool.instance_types != null])
    error_message = "A pool beside general, training and gpu names its instance_types."
  }
  validation {
    condition     = alltrue([for key in keys(var.node_pools) : can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", key))])
    error_message = "A pool's name is 1 to 32 lower-case letters, digits and inner dashes and starts with a letter."
  }
}

variable "owner" {
  description = "Who answers for the deployment: a team's name or mail address."
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
  description = "minimal, standard or production: sizes and high availability, nothing else."
  type        = string
  default     = "standard"
  nullable    = false

  validation {
    condition     = contains(["minimal", "standard", "production"], var.profile)
    error_message = "profile is minimal, standard or production."
  }
}

variable "secrets_version" {
  description = "A higher number makes all generated passwords and keys anew; who uses them has to be started again."
  type        = number
  default     = 1
  nullable    = false
}

variable "tags" {
  description = "Added to the tags of everything."
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

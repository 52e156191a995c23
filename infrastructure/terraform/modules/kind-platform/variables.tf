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
  description = "local: there is no other."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^local$", var.region))
    error_message = "region is local."
  }
}

# tflint-ignore: terraform_unused_declarations
variable "budget" {
  description = "Taken for likeness with the clouds: Kind costs nothing."
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
  description = "Taken for likeness with the clouds: the API endpoint listens on the loopback address only."
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
  description = "MLflow's database: engine sqlite or postgres. Nothing is made here; with postgres the chart brings one."
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

# tflint-ignore: terraform_unused_declarations
variable "deletion_protection" {
  description = "Taken for likeness with the clouds: nothing on Kind can be protected."
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

variable "kind" {
  description = "What only Kind has: ports of the loopback address, a local registry, a network left to Calico, MetalLB's addresses, the kubeconfig's file."
  type = object({
    disable_default_cni = optional(bool, false)
    kubeconfig_path     = optional(string, "")
    load_balancer_range = optional(string, "172.18.255.200-172.18.255.250")
    node_image          = optional(string, "")
    ports = optional(map(object({ host = number, node = number })), {
      http  = { host = 8080, node = 80 }
      https = { host = 8443, node = 443 }
    })
    registry = optional(bool, false)
  })
  default  = {}
  nullable = false
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
  description = "Address space of the pods; zones, way out and flow logs are taken for likeness with the clouds."
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
  description = "Workers: desired says how many, labels are added. More keys than general, training and gpu make more pools."
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

variable "cluster_name" {
  description = "Name of the cluster that will live here: load balancers and Karpenter find their subnets by tags with it."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that encrypts the flow logs."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the VPC and first part of the names of what is in it."
  type        = string
  nullable    = false
}

variable "cidr" {
  description = "Address range of the VPC, /16 to /20: an eighth of it for each zone's nodes and pods."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr is an IPv4 range between /16 and /20, for example 10.0.0.0/16."
  }
}

variable "flow_logs" {
  description = "Whether CloudWatch keeps a record of all connections."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that flow logs are kept; one of the values CloudWatch knows."
  type        = number
  default     = 365
  nullable    = false
}

variable "nat" {
  description = "Way out for private nodes: none (AWS services only, through interface endpoints), single (one gateway) or per_zone (one in each zone)."
  type        = string
  default     = "single"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat is none, single or per_zone."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "zones" {
  description = "Number of availability zones, the first by name."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = contains([2, 3, 4, 5, 6], var.zones)
    error_message = "EKS and RDS need 2 zones or more; the address plan has room for 6."
  }
}

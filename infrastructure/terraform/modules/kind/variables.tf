variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$", var.name))
    error_message = "name is 1 to 50 lower-case letters, digits and inner dashes."
  }
}

# tflint-ignore: terraform_unused_declarations
variable "access" {
  description = "Taken for likeness with the clouds: the API endpoint listens on the loopback address only, and whoever holds the kubeconfig administers."
  type = object({
    public             = optional(bool, false)
    cidrs              = optional(set(string), [])
    admins             = optional(set(string), [])
    log_retention_days = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.access.public
    error_message = "A Kind cluster's API endpoint is never public."
  }
}

variable "cidrs" {
  description = "Ranges inside the cluster: pods (Calico's pool where Calico is the network) and services."
  type        = object({ pods = optional(string, "10.244.0.0/16"), services = optional(string, "10.96.0.0/16") })
  default     = {}
  nullable    = false
}

variable "disable_default_cni" {
  description = "Leave the network to Calico, which must be the first thing installed: nodes are not ready before."
  type        = bool
  default     = false
  nullable    = false
}

variable "kubeconfig_path" {
  description = "File for the kubeconfig. Empty: where kubectl looks."
  type        = string
  default     = ""
  nullable    = false
}

variable "kubernetes_version" {
  description = "Minor version; the module knows an image for 1.35 and 1.36."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = var.node_image != "" || contains(["1.35", "1.36"], var.kubernetes_version)
    error_message = "The module knows images for 1.35 and 1.36; for another version give node_image."
  }
}

variable "load_balancer_range" {
  description = "Addresses that MetalLB hands out: part of the network that the container engine made for Kind."
  type        = string
  default     = "172.18.255.200-172.18.255.250"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.load_balancer_range, 0)) || can(regex("^[0-9]+(\\.[0-9]+){3}-[0-9]+(\\.[0-9]+){3}$", var.load_balancer_range))
    error_message = "load_balancer_range is such as 172.18.255.200-172.18.255.250 or 172.18.255.192/26."
  }
}

variable "node_image" {
  description = "Image of the nodes. Empty: the one that Kind published for kubernetes_version."
  type        = string
  default     = ""
  nullable    = false
}

variable "pools" {
  description = "Workers by pool: how many, with which labels and taints."
  type = map(object({
    count  = number
    labels = optional(map(string), {})
    taints = optional(list(object({ key = string, value = string, effect = string })), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.count >= 0 && pool.count <= 10])
    error_message = "A pool has 0 to 10 workers."
  }
}

variable "ports" {
  description = "Ports of this machine's loopback address that lead to ports of the node, by name."
  type        = map(object({ host = number, node = number }))
  default = {
    http  = { host = 8080, node = 80 }
    https = { host = 8443, node = 443 }
  }
  nullable = false

  validation {
    condition     = alltrue([for port in values(var.ports) : port.host >= 1 && port.host <= 65535 && port.node >= 1 && port.node <= 65535])
    error_message = "A port is 1 to 65535."
  }
  validation {
    condition     = length(distinct([for port in values(var.ports) : port.host])) == length(var.ports)
    error_message = "Two of ports want the same port of this machine."
  }
}

variable "registry" {
  description = "Let nodes pull localhost:5001/… from a registry container named mlops-registry on Kind's network. Starting it is up to you."
  type        = bool
  default     = false
  nullable    = false
}

# tflint-ignore: terraform_unused_declarations
variable "tags" {
  description = "Taken for likeness with the clouds: Kind has no tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

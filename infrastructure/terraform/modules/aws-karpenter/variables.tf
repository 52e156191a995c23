variable "cluster_arn" {
  description = "ARN of the cluster: only its pods may take the controller's role."
  type        = string
  nullable    = false
}

variable "cluster_name" {
  description = "Name of the cluster; also the value of the tags that limit what Karpenter may touch."
  type        = string
  nullable    = false
}

variable "names" {
  description = "Names from the labels module: controller role, node role, interruption queue, and the first part of the rules' names."
  type = object({
    controller_role = string
    node_role       = string
    queue           = string
    rules           = string
  })
  nullable = false

  validation {
    condition     = length(var.names.rules) <= 40
    error_message = "names.rules is 40 characters at most: a rule's name adds to it and ends at 64."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

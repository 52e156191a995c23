variable "cluster_arn" {
  description = "ARN of the cluster: only its pods may take the roles."
  type        = string
  nullable    = false
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of buckets and secrets."
  type        = string
  nullable    = false
}

variable "role_names" {
  description = "Name of the role, by component. A component that is not named here gets none."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.role_names), ["argo-server", "argo-workflow", "autoscaler", "aws-load-balancer-controller", "ebs-csi", "external-secrets", "kserve", "mlflow"])) == 0
    error_message = "role_names has the keys argo-server, argo-workflow, autoscaler, aws-load-balancer-controller, ebs-csi, external-secrets, kserve and mlflow."
  }
}

variable "secret_arns" {
  description = "Secrets that External Secrets may read."
  type        = set(string)
  nullable    = false
}

variable "store_arns" {
  description = "Buckets of workflows and of MLflow."
  type        = object({ argo = string, mlflow = string })
  nullable    = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
  nullable    = false
}

output "artifact_stores" {
  description = "Buckets of Argo and MLflow: name and URI."
  value       = module.storage.stores
}

output "autoscaler" {
  description = "What scales the nodes, and the settings of its chart."
  value = {
    kind = var.autoscaler
    settings = var.autoscaler == "karpenter" ? {
      cluster_name       = module.cluster.name
      discovery_tag      = module.cluster.name
      interruption_queue = module.karpenter[0].queue_name
      node_role          = module.karpenter[0].node_role_name
    } : { cluster_name = module.cluster.name }
  }
}

output "cloud" {
  description = "The cloud's name."
  value       = "aws"
}

output "cluster_ca_certificate" {
  description = "Certificate of the cluster's authority, base64."
  value       = module.cluster.ca_certificate
}

output "cluster_endpoint" {
  description = "URL of the cluster's API."
  value       = module.cluster.endpoint
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.cluster.name
}

output "database" {
  description = "MLflow's database; empty but for engine with sqlite. secret_ref is a key of secrets."
  value = {
    engine     = local.database.engine
    host       = local.with_postgres ? module.database[0].host : ""
    port       = local.with_postgres ? module.database[0].port : 0
    name       = local.with_postgres ? module.database[0].name : ""
    user       = local.with_postgres ? local.database_user : ""
    secret_ref = local.with_postgres ? "mlflow-database" : ""
  }
}

output "deployment_id" {
  description = "What sweeps search for, as the tag deployment-id."
  value       = module.labels.deployment_id
}

output "environment" {
  description = "dev, staging or prod."
  value       = var.environment
}

output "identities" {
  description = "By component: namespace, service account and role. Pod Identity needs no annotations."
  value = {
    for component, identity in merge(module.identity.identities, { for karpenter in module.karpenter : "autoscaler" => karpenter.identity }) :
    component => merge(identity, { annotations = {}, pod_labels = {} }) if component != "ebs-csi"
  }
}

output "kubernetes_version" {
  description = "Version that the control plane runs."
  value       = module.cluster.kubernetes_version
}

output "network_id" {
  description = "The VPC."
  value       = module.network.vpc_id
}

output "node_pools" {
  description = "All pools. With Karpenter those with min 0 are to be made as NodePools on the cluster."
  value = {
    for name, pool in local.pools : name => {
      name           = name
      instance_types = pool.instance_types
      min            = pool.min
      max            = pool.max
      spot           = pool.spot
      labels         = pool.labels
      taints         = pool.taints
    }
  }

  # A pool that is promised is one whose nodes can start.
  depends_on = [module.node_pools]
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = module.cluster.oidc_issuer_url
}

output "region" {
  description = "The region."
  value       = var.region
}

output "registry_url" {
  description = "What an image's name starts with, without a trailing slash."
  value       = module.registry.url
}

output "secret_store" {
  description = "Where the secrets are."
  value       = { kind = "aws-secrets-manager", ref = var.region }
}

output "secrets" {
  description = "Names of the secrets in the store, by key. Values are in no output."
  value       = module.secrets.names
}

locals {
  # Workers by profile; a laptop has no GPU, so that the gpu pool stays empty unless asked for.
  workers = {
    minimal    = { general = 0, training = 0, gpu = 0 }
    standard   = { general = 1, training = 1, gpu = 0 }
    production = { general = 3, training = 1, gpu = 0 }
  }[var.profile]

  # Labels and taints alike on every cloud: CONTRACT.md.
  pools = {
    for name in setunion(keys(local.workers), keys(var.node_pools)) : name => {
      count = try(coalesce(var.node_pools[name].desired), local.workers[name], 1)
      labels = merge(
        try(coalesce(var.node_pools[name].labels), {}),
        { "mlops.io/pool" = name },
        name == "gpu" ? { "nvidia.com/gpu.present" = "true" } : {},
      )
      taints = (
        name == "gpu" ? [{ key = "nvidia.com/gpu", value = "present", effect = "NoSchedule" }] :
        name == "general" ? [] : [{ key = "mlops.io/pool", value = name, effect = "NoSchedule" }]
      )
    }
  }

  components = {
    argo-server      = { namespace = "argo", service_account = "argo-workflows-server" }
    argo-workflow    = { namespace = "argo", service_account = "argo-workflow" }
    external-secrets = { namespace = "external-secrets", service_account = "external-secrets" }
    kserve           = { namespace = "mlops", service_account = "model-server" }
    mlflow           = { namespace = "mlflow", service_account = "mlflow" }
  }
}

module "labels" {
  source = "../labels"

  environment   = var.environment
  deployment_id = var.deployment_id
  owner         = var.owner
  product       = var.product
  scope         = var.region
  tags          = var.tags
  tenant        = var.tenant
  resources     = { cluster = { kind = "kind_cluster", resource = "" } }
}

module "cluster" {
  source = "../kind"

  name                = module.labels.names["cluster"]
  access              = var.cluster_access
  cidrs               = { pods = coalesce(var.network.cidr, "10.244.0.0/16") }
  disable_default_cni = var.kind.disable_default_cni
  kubeconfig_path     = var.kind.kubeconfig_path
  kubernetes_version  = var.kubernetes_version
  load_balancer_range = var.kind.load_balancer_range
  node_image          = var.kind.node_image
  pools               = local.pools
  ports               = var.kind.ports
  registry            = var.kind.registry
  tags                = module.labels.tags
}

module "cluster" {
  source = "../eks"

  name               = module.labels.names["cluster"]
  access             = var.cluster_access
  kms_key_arn        = module.encryption.key_arn
  kubernetes_version = var.kubernetes_version
  role_name          = module.labels.names["control-plane"]
  subnet_ids         = values(module.network.private_subnet_ids)
  tags               = module.labels.tags
}

# A node is Ready only with these; the CNI is told to enforce network policies, which it does not by itself.
module "node_addons" {
  source = "../aws-addons"

  cluster_name = module.cluster.name
  tags         = module.labels.tags
  addons = {
    eks-pod-identity-agent = ""
    kube-proxy             = ""
    vpc-cni                = jsonencode({ enableNetworkPolicy = "true" })
  }
}

module "node_pools" {
  source = "../aws-node-pools"

  cluster_name       = module.node_addons.cluster_name
  kubernetes_version = module.cluster.kubernetes_version
  name_prefix        = module.labels.names["cluster"]
  pools              = local.managed_pools
  role_name          = module.labels.names["nodes"]
  subnet_ids         = values(module.network.private_subnet_ids)
  tags               = module.labels.tags
}

# These run on nodes and are never up without one. Volumes carry the deployment, so that a sweep finds what pods left.
module "cluster_addons" {
  source = "../aws-addons"

  cluster_name = module.cluster.name
  tags         = module.labels.tags
  addons = {
    aws-ebs-csi-driver = jsonencode({ controller = { extraVolumeTags = module.labels.tags } })
    coredns            = ""
    metrics-server     = ""
  }

  depends_on = [module.identity, module.node_pools]
}

module "karpenter" {
  source = "../aws-karpenter"
  count  = var.autoscaler == "karpenter" ? 1 : 0

  cluster_arn  = module.cluster.arn
  cluster_name = module.cluster.name
  tags         = module.labels.tags
  names = {
    controller_role = module.labels.names["karpenter"]
    node_role       = module.labels.names["karpenter-node"]
    queue           = module.labels.names["queue"]
    rules           = module.labels.names["rules"]
  }
}

module "identity" {
  source = "../aws-identity"

  cluster_arn  = module.cluster.arn
  cluster_name = module.cluster.name
  kms_key_arn  = module.encryption.key_arn
  role_names   = { for component in local.components : component => module.labels.names["role-${component}"] }
  secret_arns  = values(module.secrets.arns)
  store_arns   = module.storage.arns
  tags         = module.labels.tags
}

# What is set in variables goes over the profile's value.
locals {
  profile  = local.profiles[var.profile]
  network  = merge(local.profile.network, { for key, value in var.network : key => value if value != null })
  database = merge(local.profile.database, { for key, value in var.database : key => value if value != null })
  zones    = slice(["1", "2", "3"], 0, local.network.zones)
  postgres = local.database.engine == "postgres" ? { mlflow = local.database } : {}

  pool_names = setunion(keys(local.profile.node_pools), keys(var.node_pools))
  pool_settings = {
    for name in local.pool_names : name => merge(
      { instance_types = ["Standard_D4ds_v5"], min = 0, max = 3, disk_gb = 128, spot = false, labels = {}, gpu = null },
      try(local.profile.node_pools[name], {}),
      { for key, value in try(var.node_pools[name], {}) : key => value if value != null },
    )
  }
  pool_is_gpu = { for name, pool in local.pool_settings : name => try(pool.gpu.count, 0) == null ? true : try(pool.gpu.count, 0) > 0 }

  # Labels and taints alike on every cloud: CONTRACT.md.
  pools = {
    for name, pool in local.pool_settings : name => {
      instance_type = pool.instance_types[0]
      min           = pool.min
      max           = pool.max
      desired       = max(pool.min, try(pool.desired, 0))
      disk_gb       = pool.disk_gb
      spot          = pool.spot
      gpu           = local.pool_is_gpu[name]
      labels        = merge(pool.labels, { "mlops.io/pool" = name }, local.pool_is_gpu[name] ? { "nvidia.com/gpu.present" = "true" } : {})
      taints = (
        local.pool_is_gpu[name] ? [{ key = "nvidia.com/gpu", value = "present", effect = "NoSchedule" }] :
        name == "general" ? [] : [{ key = "mlops.io/pool", value = name, effect = "NoSchedule" }]
      )
    }
  }

  # Named groups let everybody in them apply; otherwise it is whoever applied first.
  appliers = length(var.cluster_access.admins) > 0 ? { for admin in var.cluster_access.admins : admin => admin } : {
    applier = data.azurerm_client_config.current.object_id
  }

  secrets = merge(
    {
      argo-cd-admin    = { username = "admin" }
      grafana-admin    = { username = "admin" }
      mlflow-flask-key = { username = "" }
    },
    { for key in keys(local.postgres) : "mlflow-database" => { username = "mlflow" } },
  )
}

# What is set in variables goes over the profile's value.
locals {
  profile  = local.profiles[var.profile]
  network  = merge(local.profile.network, { for key, value in var.network : key => value if value != null })
  database = merge(local.profile.database, { for key, value in var.database : key => value if value != null })
  zones    = slice(sort(data.google_compute_zones.available.names), 0, local.network.zones)
  postgres = local.database.engine == "postgres" ? { mlflow = local.database } : {}

  pool_names = setunion(keys(local.profile.node_pools), keys(var.node_pools))
  pool_settings = {
    for name in local.pool_names : name => merge(
      { instance_types = ["e2-standard-4"], min = 0, max = 3, disk_gb = 100, spot = false, labels = {}, gpu = null },
      try(local.profile.node_pools[name], {}),
      { for key, value in try(var.node_pools[name], {}) : key => value if value != null },
    )
  }
  gpus = {
    for name, pool in local.pool_settings : name => pool.gpu == null ? { type = "", count = 0 } : {
      type                                                                    = try(coalesce(pool.gpu.type), "")
      count                                                                   = try(coalesce(pool.gpu.count), 1)
    }
  }

  # Labels and taints alike on every cloud: CONTRACT.md.
  pools = {
    for name, pool in local.pool_settings : name => {
      instance_type = pool.instance_types[0]
      min           = pool.min
      max           = pool.max
      desired       = max(pool.min, try(pool.desired, 0))
      disk_gb       = pool.disk_gb
      spot          = pool.spot
      gpu           = local.gpus[name]
      labels        = merge(pool.labels, { "mlops.io/pool" = name }, local.gpus[name].count > 0 ? { "nvidia.com/gpu.present" = "true" } : {})
      taints = (
        local.gpus[name].count > 0 ? [{ key = "nvidia.com/gpu", value = "present", effect = "NoSchedule" }] :
        name == "general" ? [] : [{ key = "mlops.io/pool", value = name, effect = "NoSchedule" }]
      )
    }
  }

  usernames = merge(
    { argo-cd-admin = "admin", grafana-admin = "admin", mlflow-flask-key = "" },
    { for key in keys(local.postgres) : "mlflow-database" => "mlflow" },
  )
}

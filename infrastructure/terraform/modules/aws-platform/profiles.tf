# What the profiles mean on AWS. A caller's own value wins, attribute by attribute.

locals {
  profiles = {
    minimal = {
      network  = { nat = "single", flow_logs = false }
      database = { engine = "sqlite", instance_type = "db.t4g.micro", storage_gb = 20, high_availability = false, backup_days = 1 }
      node_pools = {
        general  = { instance_types = ["t3.large", "t3a.large"], min = 2, max = 3, disk_gb = 30, spot = false }
        training = { instance_types = ["m7i.large", "m6i.large", "m6a.large"], min = 0, max = 2, disk_gb = 50, spot = true }
        gpu      = { instance_types = ["g6.xlarge", "g5.xlarge"], min = 0, max = 1, disk_gb = 100, spot = true }
      }
    }
    standard = {
      network  = { nat = "single", flow_logs = true }
      database = { engine = "postgres", instance_type = "db.t4g.small", storage_gb = 20, high_availability = false, backup_days = 7 }
      node_pools = {
        general  = { instance_types = ["m7i.large", "m6i.large"], min = 2, max = 6, disk_gb = 50, spot = false }
        training = { instance_types = ["m7i.2xlarge", "m6i.2xlarge", "m6a.2xlarge"], min = 0, max = 10, disk_gb = 100, spot = true }
        gpu      = { instance_types = ["g6.xlarge", "g5.xlarge"], min = 0, max = 4, disk_gb = 100, spot = false }
      }
    }
    production = {
      network  = { nat = "per_zone", flow_logs = true }
      database = { engine = "postgres", instance_type = "db.m7g.large", storage_gb = 100, high_availability = true, backup_days = 35 }
      node_pools = {
        general  = { instance_types = ["m7i.xlarge", "m6i.xlarge"], min = 3, max = 12, disk_gb = 100, spot = false }
        training = { instance_types = ["m7i.4xlarge", "m6i.4xlarge", "m6a.4xlarge"], min = 0, max = 20, disk_gb = 200, spot = false }
        gpu      = { instance_types = ["g6.2xlarge", "g5.2xlarge"], min = 0, max = 8, disk_gb = 200, spot = false }
      }
    }
  }
  profile = local.profiles[var.profile]

  # What a pool is when neither profile nor caller says.
  pool_defaults = {
    min = 0, max = 1, desired = null, disk_gb = 50, spot = false, labels = {}, gpu = { type = "", count = 0 }
  }
  gpu_defaults = { gpu = { gpu = { type = "nvidia-l4", count = 1 } } }

  database = merge(local.profile.database, { for key, value in var.database : key => value if value != null })
  network  = merge(local.profile.network, { for key, value in var.network : key => value if value != null })

  merged_pools = {
    for name in setunion(keys(local.profile.node_pools), keys(var.node_pools)) : name => merge(
      local.pool_defaults,
      try(local.gpu_defaults[name], {}),
      try(local.profile.node_pools[name], {}),
      { for key, value in try(var.node_pools[name], {}) : key => value if value != null },
    )
  }

  # Labels and taints are the same on every cloud: see CONTRACT.md.
  pools = {
    for name, pool in local.merged_pools : name => merge(pool, {
      desired = pool.desired == null ? pool.min : pool.desired
      gpu     = pool.gpu.type
      labels = merge(
        { "mlops.io/pool" = name },
        pool.gpu.count > 0 ? { "nvidia.com/gpu.present" = "true" } : {},
        pool.labels,
      )
      taints = [
        for taint in [
          { key = "nvidia.com/gpu", value = "present", effect = "NoSchedule", wanted = pool.gpu.count > 0 },
          { key = "mlops.io/pool", value = name, effect = "NoSchedule", wanted = pool.gpu.count == 0 && name != "general" },
        ] : { key = taint.key, value = taint.value, effect = taint.effect } if taint.wanted
      ]
    })
  }

  # Karpenter starts nodes by itself; only what must always run, Karpenter included, needs a group.
  managed_pools = { for name, pool in local.pools : name => pool if var.autoscaler == "cluster-autoscaler" || pool.min > 0 }
}

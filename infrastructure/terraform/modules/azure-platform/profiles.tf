# Sizes and high availability by profile; nothing else differs between profiles.
locals {
  profiles = {
    minimal = {
      sku_tier             = "Free"
      registry_sku         = "Basic"
      storage_replication  = "LRS"
      geo_redundant_backup = false
      system_pool          = { instance_type = "Standard_D2ds_v5", min = 1, max = 1 }
      network              = { cidr = "10.40.0.0/16", zones = 1, nat = "none", flow_logs = false }
      database             = { engine = "sqlite", instance_type = "B_Standard_B1ms", storage_gb = 32, high_availability = false, backup_days = 7 }
      node_pools = {
        general  = { instance_types = ["Standard_D4ds_v5"], min = 1, max = 2, desired = 1 }
        training = { instance_types = ["Standard_D8ds_v5"], max = 2, spot = true }
        gpu      = { instance_types = ["Standard_NC4as_T4_v3"], max = 1, spot = true, gpu = { type = "nvidia-tesla-t4", count = 1 } }
      }
    }
    standard = {
      sku_tier             = "Standard"
      registry_sku         = "Standard"
      storage_replication  = "ZRS"
      geo_redundant_backup = false
      system_pool          = { instance_type = "Standard_D2ds_v5", min = 2, max = 3 }
      network              = { cidr = "10.40.0.0/16", zones = 3, nat = "single", flow_logs = true }
      database             = { engine = "postgres", instance_type = "B_Standard_B2s", storage_gb = 32, high_availability = false, backup_days = 7 }
      node_pools = {
        general  = { instance_types = ["Standard_D4ds_v5"], min = 2, max = 6, desired = 2 }
        training = { instance_types = ["Standard_D16ds_v5"], max = 6 }
        gpu      = { instance_types = ["Standard_NC4as_T4_v3"], max = 4, gpu = { type = "nvidia-tesla-t4", count = 1 } }
      }
    }
    production = {
      sku_tier             = "Standard"
      registry_sku         = "Premium"
      storage_replication  = "GZRS"
      geo_redundant_backup = true
      system_pool          = { instance_type = "Standard_D4ds_v5", min = 3, max = 5 }
      network              = { cidr = "10.40.0.0/16", zones = 3, nat = "per_zone", flow_logs = true }
      database             = { engine = "postgres", instance_type = "GP_Standard_D4ds_v5", storage_gb = 128, high_availability = true, backup_days = 35 }
      node_pools = {
        general  = { instance_types = ["Standard_D8ds_v5"], min = 3, max = 12, desired = 3 }
        training = { instance_types = ["Standard_D32ds_v5"], max = 20 }
        gpu      = { instance_types = ["Standard_NC24ads_A100_v4"], max = 8, gpu = { type = "nvidia-a100-80gb", count = 1 } }
      }
    }
  }
}

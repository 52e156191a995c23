# Sizes and high availability by profile; nothing else differs between profiles.
locals {
  profiles = {
    minimal = {
      network           = { cidr = "10.40.0.0/16", zones = 1, nat = "single", flow_logs = false }
      database          = { engine = "sqlite", instance_type = "db-f1-micro", storage_gb = 10, high_availability = false, backup_days = 7 }
      auto_provisioning = { enabled = false }
      node_pools = {
        general  = { instance_types = ["e2-standard-4"], min = 1, max = 2, desired = 1 }
        training = { instance_types = ["e2-standard-8"], max = 2, spot = true }
        gpu      = { instance_types = ["g2-standard-4"], max = 1, spot = true, gpu = { type = "nvidia-l4", count = 1 } }
      }
    }
    standard = {
      network           = { cidr = "10.40.0.0/16", zones = 3, nat = "single", flow_logs = true }
      database          = { engine = "postgres", instance_type = "db-custom-1-3840", storage_gb = 20, high_availability = false, backup_days = 7 }
      auto_provisioning = { enabled = true, max_cpu = 128, max_memory_gb = 512, max_gpus = { nvidia-l4 = 4 } }
      node_pools = {
        general  = { instance_types = ["e2-standard-4"], min = 2, max = 6, desired = 3 }
        training = { instance_types = ["n2-standard-16"], max = 6 }
        gpu      = { instance_types = ["g2-standard-8"], max = 4, gpu = { type = "nvidia-l4", count = 1 } }
      }
    }
    production = {
      network           = { cidr = "10.40.0.0/16", zones = 3, nat = "per_zone", flow_logs = true }
      database          = { engine = "postgres", instance_type = "db-custom-4-15360", storage_gb = 100, high_availability = true, backup_days = 35 }
      auto_provisioning = { enabled = true, max_cpu = 512, max_memory_gb = 2048, max_gpus = { nvidia-l4 = 8, nvidia-a100-80gb = 8 } }
      node_pools = {
        general  = { instance_types = ["n2-standard-8"], min = 3, max = 12, desired = 3 }
        training = { instance_types = ["n2-standard-32"], max = 20 }
        gpu      = { instance_types = ["a2-ultragpu-1g"], max = 8, gpu = { type = "nvidia-a100-80gb", count = 1 } }
      }
    }
  }
}

# Mocks know no ephemeral resources, so that this file runs on the provider's schema (or, with credentials, on Azure).
provider "azurerm" {
  subscription_id                 = "00000000-0000-0000-0000-000000000000"
  resource_provider_registrations = "none"
  features {}
}

variables {
  environment = "dev"
  region      = "westeurope"
}

run "the_minimal_profile_makes_no_database_and_no_gateway" {
  command = plan
  variables {
    profile = "minimal"
  }
  assert {
    condition     = output.database == { engine = "sqlite", host = "", port = 0, name = "", user = "", secret_ref = "" }
    error_message = jsonencode(output.database)
  }
  assert {
    condition     = length(module.database) == 0 && module.network.outbound_type == "loadBalancer" && !contains(keys(output.secrets), "mlflow-database")
    error_message = "Something that costs is left."
  }
}

run "the_production_profile_outlives_a_zone" {
  command = plan
  variables {
    profile = "production"
  }
  assert {
    condition     = local.database.high_availability && local.network.nat == "per_zone" && length(local.zones) == 3 && local.profile.storage_replication == "GZRS"
    error_message = "Something hangs on one zone."
  }
  assert {
    condition     = output.database.secret_ref == "mlflow-database" && contains(keys(output.secrets), "mlflow-database") # checkov:skip=CKV_SECRET_6: the name of an entry
    error_message = jsonencode(output.database)
  }
}

run "pools_are_labelled_and_tainted_alike_on_all_clouds" {
  command = plan
  assert {
    condition     = { for name, pool in output.node_pools : name => [for taint in pool.taints : "${taint.key}=${taint.value}:${taint.effect}"] } == { general = [], training = ["mlops.io/pool=training:NoSchedule"], gpu = ["nvidia.com/gpu=present:NoSchedule"] }
    error_message = jsonencode(output.node_pools)
  }
  assert {
    condition     = output.node_pools["gpu"].labels == tomap({ "mlops.io/pool" = "gpu", "nvidia.com/gpu.present" = "true" })
    error_message = jsonencode(output.node_pools["gpu"].labels)
  }
}

run "what_is_set_goes_over_the_profile_and_more_keys_make_more_pools" {
  command = plan
  variables {
    database   = { backup_days = 14 }
    node_pools = { general = { max = 9 }, highmem = { instance_types = ["Standard_E16ds_v5"], spot = true }, gpu = { gpu = { count = 2 } } }
  }
  assert {
    condition     = local.pools["general"].max == 9 && local.pools["general"].instance_type == "Standard_D4ds_v5" && local.database.backup_days == 14 && local.database.engine == "postgres"
    error_message = jsonencode(local.pools["general"])
  }
  assert {
    condition     = local.pools["highmem"].min == 0 && local.pools["highmem"].taints[0].value == "highmem" && local.pools["gpu"].gpu
    error_message = jsonencode(local.pools)
  }
}

run "each_component_has_its_own_identity" {
  command = plan
  assert {
    condition     = toset(keys(output.identities)) == toset(["argo-server", "argo-workflow", "external-secrets", "kserve", "mlflow"])
    error_message = jsonencode(keys(output.identities))
  }
  assert {
    condition     = alltrue([for component in ["argo-server", "kserve"] : local.components[component].grants.artifacts.role == "Storage Blob Data Reader"])
    error_message = "A reader may write."
  }
}

run "a_database_that_no_profile_knows_is_refused" {
  command = plan
  variables {
    database = { engine = "mysql" }
  }
  expect_failures = [var.database]
}

run "a_budget_without_its_month_is_refused" {
  command = plan
  variables {
    budget = { monthly_usd = 500 }
  }
  expect_failures = [var.azure]
}

run "two_instance_types_in_a_pool_are_refused" {
  command = plan
  variables {
    node_pools = { general = { instance_types = ["Standard_D4ds_v5", "Standard_D8ds_v5"] } }
  }
  expect_failures = [var.node_pools]
}

run "a_region_in_words_is_refused" {
  command = plan
  variables {
    region = "West Europe"
  }
  expect_failures = [var.region]
}

run "four_zones_are_refused" {
  command = plan
  variables {
    network = { zones = 4 }
  }
  expect_failures = [var.network]
}

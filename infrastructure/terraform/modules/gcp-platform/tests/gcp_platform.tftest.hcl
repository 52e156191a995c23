# Mocks know no ephemeral resources, so that this file runs on the provider's schema (or, with credentials, on Google Cloud).
provider "google" {
  project = "mlops-test"
  region  = "europe-west4"
}

variables {
  environment = "dev"
  region      = "europe-west4"
}

run "the_minimal_profile_makes_no_database_and_no_pools_by_itself" {
  command = plan
  variables {
    profile = "minimal"
  }
  assert {
    condition     = output.database == { engine = "sqlite", host = "", port = 0, name = "", user = "", secret_ref = "" } && length(module.database) == 0
    error_message = jsonencode(output.database)
  }
  assert {
    condition     = output.autoscaler.kind == "none" && !contains(keys(output.secrets), "mlflow-database")
    error_message = jsonencode(output.autoscaler)
  }
}

run "the_production_profile_outlives_a_zone" {
  command = plan
  variables {
    profile = "production"
  }
  assert {
    condition     = local.database.high_availability && local.network.zones == 3 && output.autoscaler.kind == "node-auto-provisioning"
    error_message = "Something hangs on one zone."
  }
  assert {
    condition     = output.database.secret_ref == "mlflow-database" # checkov:skip=CKV_SECRET_6: the name of an entry
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
    node_pools = { general = { max = 9 }, highmem = { instance_types = ["n2-highmem-16"] }, gpu = { gpu = { type = "nvidia-tesla-t4" } } }
  }
  assert {
    condition     = local.pools["general"].max == 9 && local.pools["general"].instance_type == "e2-standard-4" && local.database.backup_days == 14 && local.database.engine == "postgres"
    error_message = jsonencode(local.pools["general"])
  }
  assert {
    condition     = local.pools["highmem"].taints[0].value == "highmem" && local.pools["gpu"].gpu == { type = "nvidia-tesla-t4", count = 1 }
    error_message = jsonencode(local.pools)
  }
}

run "each_component_is_a_principal_of_its_own" {
  command = plan
  assert {
    condition     = toset(keys(output.identities)) == toset(["argo-server", "argo-workflow", "external-secrets", "kserve", "mlflow"])
    error_message = jsonencode(keys(output.identities))
  }
}

run "the_next_life_has_other_names_where_google_keeps_the_old" {
  command = plan
  variables {
    gcp = { generation = 2 }
  }
  assert {
    condition     = endswith(module.labels.names["database"], "mlflow-g2")
    error_message = module.labels.names["database"]
  }
}

run "mail_addresses_without_channels_are_refused" {
  command = plan
  variables {
    budget = { monthly_usd = 500, alert_emails = ["ml@example.com"] }
  }
  expect_failures = [var.gcp]
}

run "two_instance_types_in_a_pool_are_refused" {
  command = plan
  variables {
    node_pools = { general = { instance_types = ["e2-standard-4", "n2-standard-4"] } }
  }
  expect_failures = [var.node_pools]
}

run "a_zone_instead_of_a_region_is_refused" {
  command = plan
  variables {
    region = "europe-west4-a"
  }
  expect_failures = [var.region]
}

run "a_project_with_capitals_is_refused" {
  command = plan
  variables {
    project_id = "My-Project"
  }
  expect_failures = [var.project_id]
}

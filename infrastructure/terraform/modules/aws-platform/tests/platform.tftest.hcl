# Plans only; AWS_ENDPOINT_URL names a stand-in, because Terraform's mocks know no ephemeral resources.
provider "aws" {
  region = "eu-west-1"
}

variables {
  environment = "staging"
  region      = "eu-west-1"
}

run "minimal_has_no_database_and_one_way_out" {
  command = plan
  variables {
    profile = "minimal"
  }

  assert {
    condition     = length(module.database) == 0 && output.database.engine == "sqlite" && output.database.host == "" && !contains(keys(output.secrets), "mlflow-database")
    error_message = "SQLite needs neither an instance nor a secret."
  }
  assert {
    condition     = local.network.nat == "single" && !local.network.flow_logs
    error_message = jsonencode(local.network)
  }
}

run "production_survives_the_loss_of_a_zone" {
  command = plan
  variables {
    profile = "production"
  }

  assert {
    condition     = local.network.nat == "per_zone" && local.database.high_availability && local.pools.general.min >= 3
    error_message = "A way out in each zone, a standby, three nodes."
  }
}

run "a_caller_s_value_wins_attribute_by_attribute" {
  command = plan
  variables {
    database   = { storage_gb = 50 }
    network    = { nat = "none" }
    node_pools = { training = { max = 40 }, batch = { instance_types = ["c7i.large"] } }
  }

  assert {
    condition     = local.database.storage_gb == 50 && local.database.engine == "postgres" && local.network.nat == "none" && local.network.flow_logs
    error_message = "The rest stays the profile's."
  }
  assert {
    condition     = local.pools.training.max == 40 && local.pools.training.instance_types[0] == local.profile.node_pools.training.instance_types[0]
    error_message = jsonencode(local.pools.training)
  }
  assert {
    condition     = output.node_pools["batch"].min == 0 && output.node_pools["batch"].taints[0].value == "batch"
    error_message = "A further pool starts at zero and has a taint of its own."
  }
}

run "labels_and_taints_are_as_on_every_cloud" {
  command = plan

  assert {
    condition     = length(output.node_pools["general"].taints) == 0 && output.node_pools["general"].labels["mlops.io/pool"] == "general"
    error_message = jsonencode(output.node_pools["general"])
  }
  assert {
    condition     = one(output.node_pools["gpu"].taints).key == "nvidia.com/gpu" && output.node_pools["gpu"].labels["nvidia.com/gpu.present"] == "true"
    error_message = jsonencode(output.node_pools["gpu"])
  }
  assert {
    condition     = "${one(output.node_pools["training"].taints).key}=${one(output.node_pools["training"].taints).value}:${one(output.node_pools["training"].taints).effect}" == "mlops.io/pool=training:NoSchedule"
    error_message = jsonencode(output.node_pools["training"])
  }
}

run "with_karpenter_only_what_always_runs_is_a_group" {
  command = plan

  assert {
    condition     = join(",", keys(local.managed_pools)) == "general" && length(module.karpenter) == 1 && !contains(local.components, "autoscaler")
    error_message = jsonencode(keys(local.managed_pools))
  }
}

run "with_the_cluster_autoscaler_every_pool_is_a_group" {
  command = plan
  variables {
    autoscaler = "cluster-autoscaler"
  }

  assert {
    condition     = join(",", keys(local.managed_pools)) == "general,gpu,training" && length(module.karpenter) == 0 && contains(local.components, "autoscaler")
    error_message = jsonencode(keys(local.managed_pools))
  }
}

run "the_longest_names_still_fit" {
  command = plan
  variables {
    product = "machinelearning1"
    tenant  = "recommendationsteam1"
  }

  assert {
    condition     = alltrue([for key in ["role-aws-load-balancer-controller", "karpenter-node"] : length(module.labels.names[key]) <= 64])
    error_message = jsonencode(module.labels.names)
  }
}

run "no_budget_is_made_unless_one_is_given" {
  command = plan

  assert {
    condition     = length(module.budget) == 0
    error_message = "0 means none."
  }
}

run "a_made_up_environment_is_refused" {
  command = plan
  variables {
    environment = "qa"
  }
  expect_failures = [var.environment]
}

run "a_zone_is_not_a_region" {
  command = plan
  variables {
    region = "eu-west-1a"
  }
  expect_failures = [var.region]
}

run "an_unknown_autoscaler_is_refused" {
  command = plan
  variables {
    autoscaler = "keda"
  }
  expect_failures = [var.autoscaler]
}

run "a_negative_budget_is_refused" {
  command = plan
  variables {
    budget = { monthly_usd = -1 }
  }
  expect_failures = [var.budget]
}

run "an_unknown_engine_is_refused" {
  command = plan
  variables {
    database = { engine = "mysql" }
  }
  expect_failures = [var.database]
}

run "a_further_pool_without_instance_types_is_refused" {
  command = plan
  variables {
    node_pools = { batch = { max = 2 } }
  }
  expect_failures = [var.node_pools]
}

run "a_pool_in_capitals_is_refused" {
  command = plan
  variables {
    node_pools = { Batch = { instance_types = ["c7i.large"] } }
  }
  expect_failures = [var.node_pools]
}

run "an_unknown_profile_is_refused" {
  command = plan
  variables {
    profile = "large"
  }
  expect_failures = [var.profile]
}

variables {
  environment = "dev"
  scope       = "111122223333/eu-west-1"
}

run "names_follow_product_tenant_environment_resource" {
  command = plan

  variables {
    resources = {
      nodes   = { kind = "aws_iam_role" }
      cluster = { kind = "aws_eks", resource = "" }
      pool    = { kind = "azure_node_pool", resource = "gpu" }
    }
  }

  assert {
    condition     = output.names["nodes"] == "mlops-core-dev-nodes"
    error_message = "The key is the last part where no other is given: ${output.names["nodes"]}"
  }
  assert {
    condition     = output.names["cluster"] == output.prefix && output.prefix == "mlops-core-dev"
    error_message = "An empty last part gives the prefix alone: ${output.names["cluster"]}"
  }
}

run "names_that_fit_are_not_cut_and_longer_ones_end_in_a_hash" {
  command = plan

  variables {
    product = "machinelearning1"
    tenant  = "recommendationsteam1"
    resources = {
      role     = { kind = "aws_iam_role", resource = "aws-load-balancer-controller" }
      sibling  = { kind = "aws_iam_role", resource = "aws-load-balancer-controllers" }
      exact    = { kind = "aws_iam_role", resource = "a-resource-of-22-chars" }
      account  = { kind = "azure_storage", resource = "artifacts" }
      vault    = { kind = "azure_key_vault", resource = "" }
      identity = { kind = "gcp_service_account", resource = "external-secrets" }
    }
  }

  assert {
    condition     = length(output.names["exact"]) == 64 && endswith(output.names["exact"], "a-resource-of-22-chars")
    error_message = "A name of exactly the limit stays whole: ${output.names["exact"]}"
  }
  assert {
    condition     = can(regex("-[0-9a-f]{6}$", output.names["role"])) && length(output.names["role"]) <= 64
    error_message = "A cut name ends in a hash: ${output.names["role"]}"
  }
  assert {
    condition     = output.names["role"] != output.names["sibling"]
    error_message = "Two long names that differ at the end stay different."
  }
  assert {
    condition     = can(regex("^[a-z0-9]{3,24}$", output.names["account"]))
    error_message = "A storage account has no dashes and at most 24 characters: ${output.names["account"]}"
  }
  assert {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", output.names["vault"]))
    error_message = "A key vault has at most 24 characters: ${output.names["vault"]}"
  }
  assert {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", output.names["identity"]))
    error_message = "A service account has at most 30 characters: ${output.names["identity"]}"
  }
}

run "names_shared_with_the_world_differ_between_deployments" {
  command = plan

  variables {
    deployment_id = "first-deployment"
    resources = {
      bucket = { kind = "aws_s3", resource = "mlflow" }
      role   = { kind = "aws_iam_role", resource = "mlflow" }
    }
  }

  assert {
    condition     = output.names["bucket"] == "mlops-core-dev-mlflow-${substr(sha256("first-deployment"), 0, 6)}"
    error_message = "A bucket's name carries the deployment: ${output.names["bucket"]}"
  }
  assert {
    condition     = output.names["role"] == "mlops-core-dev-mlflow"
    error_message = "A role's name does not: ${output.names["role"]}"
  }
}

run "the_derived_id_is_stable_and_depends_on_the_account" {
  command = plan

  assert {
    condition     = output.deployment_id == substr(sha256("mlops-core-dev/111122223333/eu-west-1"), 0, 10)
    error_message = "No randomness: ${output.deployment_id}"
  }
}

run "tags_hold_the_deployment_and_our_own_set_wins" {
  command = plan

  variables {
    deployment_id = "blue-42"
    tags          = { "cost-center" = "R&D 7", owner = "someone else" }
  }

  assert {
    condition = output.tags == tomap({
      "cost-center" = "R&D 7", deployment-id = "blue-42", environment = "dev", managed-by = "terraform",
      owner         = "ml-platform", product = "mlops", tenant = "core",
    })
    error_message = jsonencode(output.tags)
  }
}

run "labels_obey_google_rules" {
  command = plan

  variables {
    owner = "ML.Team@Example.com"
    tags  = { "Cost:Center" = "R&D 7", "cost-center" = "later", "long" = join("", [for _ in range(70) : "x"]) }
  }

  assert {
    condition     = alltrue([for key, value in output.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = jsonencode(output.labels)
  }
  assert {
    condition     = output.labels["owner"] == "ml-team-example-com" && output.labels["cost-center"] == "r-d-7"
    error_message = jsonencode(output.labels)
  }
}

run "an_unknown_environment_is_refused" {
  command = plan
  variables {
    environment = "production"
  }
  expect_failures = [var.environment]
}

run "a_product_with_a_dash_is_refused" {
  command = plan
  variables {
    product = "ml-ops"
  }
  expect_failures = [var.product]
}

run "a_tenant_with_capitals_is_refused" {
  command = plan
  variables {
    tenant = "TeamA"
  }
  expect_failures = [var.tenant]
}

run "a_reserved_tag_key_is_refused" {
  command = plan
  variables {
    tags = { "aws:owner" = "me" }
  }
  expect_failures = [var.tags]
}

run "a_resource_with_an_underscore_is_refused" {
  command = plan
  variables {
    resources = { my_bucket = { kind = "aws_s3" } }
  }
  expect_failures = [var.resources]
}

run "a_kind_without_a_limit_is_refused" {
  command = plan
  variables {
    resources = { bucket = { kind = "s3" } }
  }
  expect_failures = [var.resources]
}

run "a_deployment_id_with_a_space_is_refused" {
  command = plan
  variables {
    deployment_id = "blue 42"
  }
  expect_failures = [var.deployment_id]
}

run "an_empty_owner_is_refused" {
  command = plan
  variables {
    owner = " "
  }
  expect_failures = [var.owner]
}

mock_provider "aws" {}

variables {
  cluster_name = "mlops-core-dev"
}

run "configuration_reaches_the_addon_and_none_means_defaults" {
  variables {
    addons = { coredns = "", vpc-cni = "{\"enableNetworkPolicy\":\"true\"}" }
  }

  assert {
    condition     = jsondecode(aws_eks_addon.this["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The CNI enforces network policies."
  }
  assert {
    condition     = aws_eks_addon.this["coredns"].resolve_conflicts_on_update == "OVERWRITE" && length(aws_eks_addon.this) == 2
    error_message = "Terraform's word wins over what was changed by hand."
  }
}

run "configuration_that_is_not_json_is_refused" {
  command = plan
  variables {
    addons = { vpc-cni = "enableNetworkPolicy: true" }
  }
  expect_failures = [var.addons]
}

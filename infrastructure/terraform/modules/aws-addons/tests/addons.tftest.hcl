mock_provider "aws" {}

variables {
  cluster_name = "mlops-core-dev"
}

run "an_addon_without_a_role_has_no_association" {
  variables {
    addons = { coredns = {} }
  }

  assert {
    condition     = length(aws_eks_addon.this["coredns"].pod_identity_association) == 0
    error_message = "CoreDNS does not talk to AWS."
  }
}

run "an_addon_with_a_role_is_bound_to_its_service_account" {
  variables {
    addons = {
      aws-ebs-csi-driver = { role_arn = "arn:aws:iam::111122223333:role/csi", service_account = "ebs-csi-controller-sa" }
    }
  }

  assert {
    condition     = one(aws_eks_addon.this["aws-ebs-csi-driver"].pod_identity_association).service_account == "ebs-csi-controller-sa"
    error_message = "The driver's controller gets its role by Pod Identity."
  }
}

run "configuration_reaches_the_addon" {
  variables {
    addons = { vpc-cni = { configuration = "{\"enableNetworkPolicy\":\"true\"}" } }
  }

  assert {
    condition     = jsondecode(aws_eks_addon.this["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The CNI enforces network policies."
  }
}

run "a_role_without_a_service_account_is_refused" {
  command = plan
  variables {
    addons = { aws-ebs-csi-driver = { role_arn = "arn:aws:iam::111122223333:role/csi" } }
  }
  expect_failures = [var.addons]
}

run "configuration_that_is_not_json_is_refused" {
  command = plan
  variables {
    addons = { vpc-cni = { configuration = "enableNetworkPolicy: true" } }
  }
  expect_failures = [var.addons]
}

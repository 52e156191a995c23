mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { arn = "arn:aws:sts::111122223333:assumed-role/deployer/me" }
  }
  mock_data "aws_iam_session_context" {
    defaults = { issuer_arn = "arn:aws:iam::111122223333:role/deployer" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/control-plane" }
  }
  mock_resource "aws_eks_cluster" {
    defaults = {
      certificate_authority = [{ data = "Y2E=" }]
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/1" }] }]
    }
  }
}

variables {
  name        = "mlops-core-prod"
  role_name   = "mlops-core-prod-control-plane"
  kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/1"
  subnet_ids  = ["subnet-a", "subnet-b", "subnet-c"]
}

run "the_endpoint_is_private_unless_asked" {
  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "No public endpoint by default."
  }
}

run "a_public_endpoint_is_for_named_ranges_only" {
  variables {
    access = { public = true, cidrs = ["192.0.2.0/24"] }
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["192.0.2.0/24"])
    error_message = "The ranges reach the cluster."
  }
}

run "secrets_are_encrypted_with_our_key_and_every_log_is_on" {
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.kms_key_arn && aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"])
    error_message = "Kubernetes Secrets are encrypted with the key given."
  }
  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit") && length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "All five logs are on."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/eks/mlops-core-prod/cluster" && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "The log group is ours, so that it has an end and goes with the cluster."
  }
}

run "extended_support_is_not_bought" {
  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "STANDARD, or the bill grows when the version ages."
  }
}

run "whoever_applies_administers_when_nobody_is_named" {
  assert {
    condition     = join(",", keys(aws_eks_access_entry.admin)) == "arn:aws:iam::111122223333:role/deployer"
    error_message = jsonencode(keys(aws_eks_access_entry.admin))
  }
}

run "named_admins_replace_whoever_applies" {
  variables {
    access = { admins = ["arn:aws:iam::111122223333:role/platform-team"] }
  }

  assert {
    condition     = join(",", keys(aws_eks_access_policy_association.admin)) == "arn:aws:iam::111122223333:role/platform-team"
    error_message = jsonencode(keys(aws_eks_access_policy_association.admin))
  }
}

run "a_public_endpoint_for_nobody_is_refused" {
  command = plan
  variables {
    access = { public = true }
  }
  expect_failures = [var.access]
}

run "a_session_is_not_an_admin" {
  command = plan
  variables {
    access = { admins = ["arn:aws:sts::111122223333:assumed-role/deployer/me"] }
  }
  expect_failures = [var.access]
}

run "a_patch_version_is_refused" {
  command = plan
  variables {
    kubernetes_version = "1.35.2"
  }
  expect_failures = [var.kubernetes_version]
}

run "a_name_with_a_dot_is_refused" {
  command = plan
  variables {
    name = "mlops.core.prod"
  }
  expect_failures = [var.name]
}

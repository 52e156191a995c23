mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/one" }
  }
}

variables {
  cluster_arn  = "arn:aws:eks:eu-west-1:111122223333:cluster/mlops-core-dev"
  cluster_name = "mlops-core-dev"
  kms_key_arn  = "arn:aws:kms:eu-west-1:111122223333:key/1"
  secret_arns  = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:grafana"]
  store_arns   = { argo = "arn:aws:s3:::argo-store", mlflow = "arn:aws:s3:::mlflow-store" }
  role_names = {
    for component in ["argo-server", "argo-workflow", "autoscaler", "aws-load-balancer-controller", "ebs-csi", "external-secrets", "kserve", "mlflow"] :
    component => "mlops-core-dev-${component}"
  }
}

run "every_component_has_a_role_of_its_own_bound_to_its_service_account" {
  assert {
    condition     = length(distinct([for role in aws_iam_role.this : role.name])) == 8 && length(aws_eks_pod_identity_association.this) == 8
    error_message = "Eight components, eight roles, eight associations."
  }
  assert {
    condition     = output.identities["kserve"].namespace == "mlops" && output.identities["kserve"].service_account == "model-server"
    error_message = jsonencode(output.identities["kserve"])
  }
}

run "a_role_can_be_taken_by_one_service_account_of_one_cluster" {
  assert {
    condition = alltrue([
      for key, document in data.aws_iam_policy_document.trust : {
        for condition in document.statement[0].condition : condition.variable => one(condition.values)
        } == {
        "aws:SourceAccount"                         = "111122223333"
        "aws:RequestTag/eks-cluster-arn"            = var.cluster_arn
        "aws:RequestTag/kubernetes-namespace"       = aws_eks_pod_identity_association.this[key].namespace
        "aws:RequestTag/kubernetes-service-account" = aws_eks_pod_identity_association.this[key].service_account
      }
    ])
    error_message = "Each trust policy names account, cluster, namespace and service account."
  }
}

run "a_model_server_only_reads_and_only_models" {
  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.bucket["kserve"].statement : [
        for action in statement.actions : !can(regex("Put|Delete|Abort|GenerateDataKey", action))
      ]
    ]))
    error_message = "No right to write."
  }
  assert {
    condition     = alltrue(flatten([for statement in data.aws_iam_policy_document.bucket["kserve"].statement : [for resource in statement.resources : !can(regex("argo-store", resource))]]))
    error_message = "Not the workflows' bucket."
  }
}

run "nobody_gets_a_star_on_a_bucket_or_a_secret" {
  assert {
    condition = alltrue(flatten([
      for document in concat(values(data.aws_iam_policy_document.bucket), [data.aws_iam_policy_document.secrets]) : [
        for statement in document.statement : concat([for resource in statement.resources : resource != "*"], [for action in statement.actions : !endswith(action, "*")])
      ]
    ]))
    error_message = "Rights name calls and resources."
  }
}

run "the_autoscaler_changes_only_its_cluster_s_groups" {
  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.autoscaler.statement : one(statement.condition).variable if contains(statement.actions, "autoscaling:SetDesiredCapacity")
    ]) == "aws:ResourceTag/k8s.io/cluster-autoscaler/mlops-core-dev"
    error_message = "Without the tag's condition it could scale any group of the account."
  }
}

run "a_component_that_is_not_named_gets_no_role" {
  variables {
    role_names = { mlflow = "mlops-core-dev-mlflow" }
  }

  assert {
    condition     = keys(aws_iam_role.this)[0] == "mlflow" && length(aws_iam_role.this) == 1 && length(aws_iam_role_policy_attachment.ebs_csi) == 0
    error_message = "Only MLflow's."
  }
}

run "an_unknown_component_is_refused" {
  command = plan
  variables {
    role_names = { grafana = "mlops-core-dev-grafana" }
  }
  expect_failures = [var.role_names]
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  components = {
    argo-server                  = { namespace = "argo", service_account = "argo-workflows-server", policy = data.aws_iam_policy_document.bucket["argo-server"].json }
    argo-workflow                = { namespace = "argo", service_account = "argo-workflow", policy = data.aws_iam_policy_document.bucket["argo-workflow"].json }
    autoscaler                   = { namespace = "kube-system", service_account = "cluster-autoscaler", policy = data.aws_iam_policy_document.autoscaler.json }
    aws-load-balancer-controller = { namespace = "kube-system", service_account = "aws-load-balancer-controller", policy = file("${path.module}/policies/aws-load-balancer-controller-3.5.0.json") }
    ebs-csi                      = { namespace = "kube-system", service_account = "ebs-csi-controller-sa", policy = "" }
    external-secrets             = { namespace = "external-secrets", service_account = "external-secrets", policy = data.aws_iam_policy_document.secrets.json }
    kserve                       = { namespace = "mlops", service_account = "model-server", policy = data.aws_iam_policy_document.bucket["kserve"].json }
    mlflow                       = { namespace = "mlflow", service_account = "mlflow", policy = data.aws_iam_policy_document.bucket["mlflow"].json }
  }
  identities = { for key, name in var.role_names : key => merge(local.components[key], { role_name = name }) }
}

# One service account of one cluster, and nobody else: EKS names both when it asks for the role.
data "aws_iam_policy_document" "trust" {
  for_each = local.identities

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    dynamic "condition" {
      for_each = {
        "aws:SourceAccount"                         = data.aws_caller_identity.current.account_id
        "aws:RequestTag/eks-cluster-arn"            = var.cluster_arn
        "aws:RequestTag/kubernetes-namespace"       = each.value.namespace
        "aws:RequestTag/kubernetes-service-account" = each.value.service_account
      }

      content {
        test     = "StringEquals"
        variable = condition.key
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.identities

  name               = each.value.role_name
  description        = "${each.key} in ${var.cluster_name}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
  tags               = var.tags
}

resource "aws_iam_role_policy" "this" {
  for_each = { for key, identity in local.identities : key => identity if key != "ebs-csi" }

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = each.value.policy
}

# AWS keeps the driver's list of rights with the driver.
resource "aws_iam_role_policy_attachment" "ebs_csi" {
  for_each = { for key, identity in local.identities : key => identity if key == "ebs-csi" }

  role       = aws_iam_role.this[each.key].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = local.identities

  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.this[each.key].arn
  tags            = var.tags

  # A pod that starts before its rights are there fails and is not asked again.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy_attachment.ebs_csi]
}

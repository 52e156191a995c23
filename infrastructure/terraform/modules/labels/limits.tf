locals {
  # max: longest name the cloud takes. plain: letters and digits only. unique: shared with all other customers of the
  # cloud, so the deployment id goes in. Sources: the clouds' own naming rules; an event rule may have 64 characters, of
  # which a module with several rules takes some.
  limits = {
    aws_budget          = { max = 100, plain = false, unique = false }
    aws_db              = { max = 63, plain = false, unique = false }
    aws_ecr             = { max = 256, plain = false, unique = false }
    aws_eks             = { max = 100, plain = false, unique = false }
    aws_event_rule      = { max = 40, plain = false, unique = false }
    aws_iam_role        = { max = 64, plain = false, unique = false }
    aws_kms_alias       = { max = 250, plain = false, unique = false }
    aws_launch_template = { max = 125, plain = false, unique = false }
    aws_log_group       = { max = 255, plain = false, unique = false }
    aws_node_group      = { max = 63, plain = false, unique = false }
    aws_s3              = { max = 63, plain = false, unique = true }
    aws_secret          = { max = 255, plain = false, unique = false }
    aws_sqs             = { max = 80, plain = false, unique = false }
    aws_vpc             = { max = 255, plain = false, unique = false }

    azure_aks       = { max = 63, plain = false, unique = false }
    azure_budget    = { max = 63, plain = false, unique = false }
    azure_identity  = { max = 128, plain = false, unique = false }
    azure_key_vault = { max = 24, plain = false, unique = true }
    azure_log       = { max = 63, plain = false, unique = false }
    azure_nat       = { max = 80, plain = false, unique = false }
    azure_node_pool = { max = 12, plain = true, unique = false }
    azure_nsg       = { max = 80, plain = false, unique = false }
    azure_postgres  = { max = 63, plain = false, unique = true }
    azure_public_ip = { max = 80, plain = false, unique = false }
    azure_registry  = { max = 50, plain = true, unique = true }
    azure_resources = { max = 90, plain = false, unique = false }
    azure_storage   = { max = 24, plain = true, unique = true }
    azure_subnet    = { max = 80, plain = false, unique = false }
    azure_vnet      = { max = 64, plain = false, unique = false }

    gcp_bucket          = { max = 63, plain = false, unique = true }
    gcp_budget          = { max = 60, plain = false, unique = false }
    gcp_gke             = { max = 40, plain = false, unique = false }
    gcp_kms             = { max = 63, plain = false, unique = false }
    gcp_network         = { max = 62, plain = false, unique = false }
    gcp_node_pool       = { max = 40, plain = false, unique = false }
    gcp_registry        = { max = 63, plain = false, unique = false }
    gcp_secret          = { max = 255, plain = false, unique = false }
    gcp_service_account = { max = 30, plain = false, unique = false }
    gcp_sql             = { max = 80, plain = false, unique = false }

    kind_cluster  = { max = 50, plain = false, unique = false }
    kind_registry = { max = 63, plain = false, unique = false }
  }
}

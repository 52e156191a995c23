# Made by Secrets Manager, handed on inside one apply, and never written to a plan, a state or an output.
ephemeral "aws_secretsmanager_random_password" "this" {
  for_each = var.secrets

  password_length     = 32
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: who uses these reads them at start; a rotation behind its back would lock it out
  for_each = var.secrets

  name                    = each.value.name
  description             = each.value.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.deletion_protection ? 30 : 0
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = var.secrets

  secret_id = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo = jsonencode(
    each.value.username == ""
    ? { key = ephemeral.aws_secretsmanager_random_password.this[each.key].random_password }
    : { username = each.value.username, password = ephemeral.aws_secretsmanager_random_password.this[each.key].random_password }
  )
  # Written once for each number, however often Terraform is applied.
  secret_string_wo_version = var.secrets_version
}

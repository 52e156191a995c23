# The owner's secret, which a plan of the database already reads.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV_AWS_149: lives for the seconds of a test, in a stand-in
  #checkov:skip=CKV2_AWS_57: the same reason as the skip above
  name                    = "database-test"
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = jsonencode({ username = "mlflow", password = "in-no-state" })
  secret_string_wo_version = 1
}

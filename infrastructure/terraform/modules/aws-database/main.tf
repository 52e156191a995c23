data "aws_partition" "current" {}

# The secret is read back, not passed on: after a half-done apply both still have the same password.
ephemeral "aws_secretsmanager_secret_version" "owner" {
  secret_id = var.secret_arn
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
  tags        = var.tags
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "PostgreSQL from the cluster"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-database" })
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from the cluster"
  referenced_security_group_id = var.client_security_group_id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
  tags                         = var.tags
}

resource "aws_db_parameter_group" "this" {
  name        = var.name
  description = "TLS only, slow statements and changes of the schema logged"
  family      = "postgres${var.engine_version}"
  tags        = var.tags

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
  parameter {
    name  = "log_statement"
    value = "ddl"
  }
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
}

# RDS would make this group by itself, without an end to what it keeps, and leave it behind.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338: statements of a tracking database are worth keeping for a quarter, not for a year
  name              = "/aws/rds/instance/${var.name}/postgresql"
  kms_key_id        = var.kms_key_arn
  retention_in_days = 90
  tags              = var.tags
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_157: a standby is the profile's choice: production has one
  #checkov:skip=CKV_AWS_293: deletion protection is the caller's choice and on by default
  identifier                  = var.name
  db_name                     = var.database_name
  engine                      = "postgres"
  engine_version              = var.engine_version
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  instance_class              = var.size.instance_type
  parameter_group_name        = aws_db_parameter_group.this.name
  tags                        = var.tags

  allocated_storage     = var.size.storage_gb
  max_allocated_storage = var.size.storage_gb * 4
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  username                            = var.username
  password_wo                         = jsondecode(ephemeral.aws_secretsmanager_secret_version.owner.secret_string).password
  password_wo_version                 = var.secret_version
  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  multi_az               = var.size.high_availability
  publicly_accessible    = false
  vpc_security_group_ids = [aws_security_group.this.id]

  backup_retention_period   = var.size.backup_days
  copy_tags_to_snapshot     = true
  delete_automated_backups  = !var.deletion_protection
  deletion_protection       = var.deletion_protection
  final_snapshot_identifier = coalesce(var.snapshot.final, "${var.name}-final")
  skip_final_snapshot       = !var.deletion_protection && var.snapshot.final == ""
  snapshot_identifier       = var.snapshot.restore == "" ? null : var.snapshot.restore

  enabled_cloudwatch_logs_exports = ["postgresql"]
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn

  lifecycle {
    # It says what the database began with: to change it later would make the database anew.
    ignore_changes = [snapshot_identifier]
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.monitoring]
}

# Terraform's mocks know no ephemeral resources: this needs AWS_ENDPOINT_URL to name a stand-in for AWS.
provider "aws" {
  region = "eu-west-1"
}

variables {
  name                     = "mlops-core-prod-mlflow"
  client_security_group_id = "sg-cluster"
  kms_key_arn              = "arn:aws:kms:eu-west-1:111122223333:key/1"
  secret_arn               = "database-test"
  subnet_ids               = ["subnet-a", "subnet-b"]
  username                 = "mlflow"
  vpc_id                   = "vpc-1"
}

run "the_owner_s_secret_exists_first" {
  module {
    source = "./tests/setup"
  }
}

run "the_database_is_private_and_encrypted" {
  command = plan

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.kms_key_arn
    error_message = "No public address; our key."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients.referenced_security_group_id == "sg-cluster" && aws_vpc_security_group_ingress_rule.clients.from_port == 5432
    error_message = "Only the cluster's group connects, and only to PostgreSQL."
  }
}

run "connections_without_tls_are_refused" {
  command = plan

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "rds.force_ssl is on."
  }
}

run "the_password_is_in_no_state" {
  command = plan

  assert {
    condition     = aws_db_instance.this.password_wo == null && aws_db_instance.this.password == null
    error_message = "Write-only."
  }
}

run "a_protected_database_refuses_to_go_and_leaves_a_snapshot" {
  command = plan

  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && !aws_db_instance.this.delete_automated_backups
    error_message = "Protected by default."
  }
}

run "without_protection_nothing_is_left" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.delete_automated_backups
    error_message = "No snapshot and no backup stays."
  }
}

run "a_named_last_snapshot_is_taken_without_protection_too" {
  command = plan

  variables {
    deletion_protection = false
    snapshot            = { final = "mlops-core-prod-mlflow-kept-1", restore = "mlops-core-prod-mlflow-kept-0" }
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == "mlops-core-prod-mlflow-kept-1"
    error_message = "The name alone asks for the snapshot."
  }
  assert {
    condition     = aws_db_instance.this.snapshot_identifier == "mlops-core-prod-mlflow-kept-0"
    error_message = "The database begins with what was kept."
  }
}

run "a_snapshot_s_name_that_rds_refuses_is_refused" {
  command = plan
  variables {
    snapshot = { final = "two--hyphens" }
  }
  expect_failures = [var.snapshot]
}

run "a_standby_is_a_matter_of_size" {
  command = plan

  variables {
    size = { instance_type = "db.m7g.large", storage_gb = 100, high_availability = true, backup_days = 35 }
  }

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.max_allocated_storage == 400 && aws_db_instance.this.backup_retention_period == 35
    error_message = "A standby, room to grow, backups for 35 days."
  }
}

run "a_database_without_backups_is_refused" {
  command = plan
  variables {
    size = { backup_days = 0 }
  }
  expect_failures = [var.size]
}

run "an_instance_type_of_ec2_is_refused" {
  command = plan
  variables {
    size = { instance_type = "t4g.small" }
  }
  expect_failures = [var.size]
}

run "storage_below_gp3_s_least_is_refused" {
  command = plan
  variables {
    size = { storage_gb = 5 }
  }
  expect_failures = [var.size]
}

run "a_minor_version_is_refused" {
  command = plan
  variables {
    engine_version = "17.4"
  }
  expect_failures = [var.engine_version]
}

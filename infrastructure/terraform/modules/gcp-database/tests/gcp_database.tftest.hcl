mock_provider "google" {
  mock_resource "google_sql_database_instance" {
    defaults = { private_ip_address = "10.40.32.3" }
  }
}

variables {
  project_id = "mlops-test"
  region     = "europe-west4"
  name       = "mlops-core-dev-mlflow-g1"
  network_id = "projects/mlops-test/global/networks/mlops"
  password   = "never-kept" # pragma: allowlist secret
}

run "the_instance_is_private_and_speaks_tls_only" {
  assert {
    condition     = !google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled && google_sql_database_instance.this.settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY"
    error_message = jsonencode(google_sql_database_instance.this.settings[0].ip_configuration)
  }
}

run "any_moment_of_a_week_can_be_restored" {
  assert {
    condition     = google_sql_database_instance.this.settings[0].backup_configuration[0].point_in_time_recovery_enabled && google_sql_database_instance.this.settings[0].backup_configuration[0].transaction_log_retention_days == 7
    error_message = jsonencode(google_sql_database_instance.this.settings[0].backup_configuration)
  }
}

run "it_is_protected_by_terraform_and_by_google" {
  assert {
    condition     = google_sql_database_instance.this.deletion_protection && google_sql_database_instance.this.settings[0].deletion_protection_enabled
    error_message = "It is not protected."
  }
}

run "the_state_never_holds_the_password" {
  assert {
    condition     = google_sql_user.this.password == null && google_sql_user.this.password_wo == null
    error_message = "The password is kept."
  }
  assert {
    condition     = output.connection == { host = "10.40.32.3", port = 5432, name = "mlflow", user = "mlflow" }
    error_message = jsonencode(output.connection)
  }
}

run "a_standby_is_in_another_zone" {
  variables {
    high_availability = true
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].availability_type == "REGIONAL"
    error_message = "No standby."
  }
}

run "a_machine_type_instead_of_a_tier_is_refused" {
  command = plan
  variables {
    instance_type = "e2-standard-4"
  }
  expect_failures = [var.instance_type]
}

run "a_version_as_azure_writes_it_is_refused" {
  command = plan
  variables {
    postgres_version = "17"
  }
  expect_failures = [var.postgres_version]
}

run "no_backups_are_refused" {
  command = plan
  variables {
    backup_days = 0
  }
  expect_failures = [var.backup_days]
}

run "a_tiny_disk_is_refused" {
  command = plan
  variables {
    storage_gb = 5
  }
  expect_failures = [var.storage_gb]
}

run "a_name_with_capitals_is_refused" {
  command = plan
  variables {
    name = "Mlflow"
  }
  expect_failures = [var.name]
}

resource "google_sql_database_instance" "this" {
  # checkov:skip=CKV_GCP_6: ssl_mode below replaced require_ssl
  # checkov:skip=CKV_GCP_51: on, in the dynamic block below
  # checkov:skip=CKV_GCP_52: on, in the dynamic block below
  # checkov:skip=CKV_GCP_53: on, in the dynamic block below
  # checkov:skip=CKV_GCP_54: on, in the dynamic block below
  # checkov:skip=CKV_GCP_108: on, in the dynamic block below
  # checkov:skip=CKV2_GCP_13: on, in the dynamic block below
  # checkov:skip=CKV_GCP_109: log_min_error_statement keeps PostgreSQL's default, error
  # checkov:skip=CKV_GCP_110: pgaudit needs an extension in each database; logins and schema changes are logged below
  # checkov:skip=CKV_GCP_111: every statement in the log would put run parameters there
  # checkov:skip=CKV_GCP_79: the major version is a variable; 17 is what MLflow is tested with
  project             = var.project_id
  region              = var.region
  name                = var.name
  database_version    = var.postgres_version
  deletion_protection = var.deletion_protection

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.instance_type
    availability_type           = var.high_availability ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = var.storage_gb
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection
    user_labels                 = var.labels

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network_id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "02:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.backup_days
      }
    }

    final_backup_config {
      enabled        = var.deletion_protection
      retention_days = var.deletion_protection ? 30 : null
    }

    insights_config {
      query_insights_enabled = true
    }

    maintenance_window {
      day          = 7
      hour         = 3
      update_track = "stable"
    }

    dynamic "database_flags" {
      for_each = {
        log_checkpoints            = "on"
        log_connections            = "on"
        log_disconnections         = "on"
        log_duration               = "on"
        log_hostname               = "on"
        log_lock_waits             = "on"
        log_min_duration_statement = "-1"
        log_statement              = "ddl"
      }

      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  lifecycle {
    # It grows by itself and never shrinks.
    ignore_changes = [settings[0].disk_size]
  }
}

resource "google_sql_database" "this" {
  project  = var.project_id
  instance = google_sql_database_instance.this.name
  name     = var.database_name
  # PostgreSQL refuses while somebody is connected; it goes with the instance.
  deletion_policy = "ABANDON"
}

resource "google_sql_user" "this" {
  project             = var.project_id
  instance            = google_sql_database_instance.this.name
  name                = var.login
  password_wo         = var.password
  password_wo_version = var.password_version
  # PostgreSQL refuses to drop a user that owns tables; it goes with the instance.
  deletion_policy = "ABANDON"
}

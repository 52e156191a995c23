locals {
  # bcrypt's salt is 128 bits from the operating system's random source, unknown while planning. As it goes into
  # write-only arguments only, neither plan nor state ever holds it, and a new one on the next run changes nothing.
  random = { for key, entry in var.entries : key => "Pw1-${sha256("${bcrypt(key, 4)}${bcrypt(key, 4)}")}" }

  values = {
    for key, entry in var.entries : key => jsonencode(
      entry.username == "" ? { key = local.random[key] } : { username = entry.username, password = local.random[key] }
    )
  }
}

resource "google_secret_manager_secret" "this" {
  for_each = var.entries

  project             = var.project_id
  secret_id           = each.value.name
  deletion_protection = var.deletion_protection
  labels              = var.labels

  # In this region and no other.
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_version" "this" {
  for_each = var.entries

  secret                 = google_secret_manager_secret.this[each.key].id
  secret_data_wo         = local.values[each.key]
  secret_data_wo_version = each.value.version
}

resource "google_secret_manager_secret_iam_member" "readers" {
  for_each = { for pair in setproduct(keys(var.entries), keys(var.readers)) : "${pair[0]}/${pair[1]}" => { entry = pair[0], reader = pair[1] } }

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.value.entry].id
  role      = "roles/secretmanager.secretAccessor"
  member    = var.readers[each.value.reader]
}

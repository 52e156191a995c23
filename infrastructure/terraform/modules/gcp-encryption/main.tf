locals {
  users = merge([
    for key, members in var.keys : { for member in members : "${key}/${member}" => { key = key, member = member } }
  ]...)
}

# Neither rings nor keys can ever be deleted on Google Cloud: the name of a next life needs another generation.
resource "google_kms_key_ring" "this" {
  project  = var.project_id
  location = var.region
  name     = "${var.name}-g${var.generation}"
}

resource "google_kms_crypto_key" "this" {
  # checkov:skip=CKV_GCP_82: a key that is destroyed keeps its versions for destroy_scheduled_duration; deletion_protection keeps what it encrypts
  for_each = var.keys

  name                       = each.key
  key_ring                   = google_kms_key_ring.this.id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "2592000s"
  labels                     = var.labels
}

resource "google_kms_crypto_key_iam_member" "this" {
  for_each = local.users

  crypto_key_id = google_kms_crypto_key.this[each.value.key].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value.member
}

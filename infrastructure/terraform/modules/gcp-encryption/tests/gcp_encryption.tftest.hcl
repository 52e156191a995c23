mock_provider "google" {
  mock_resource "google_kms_key_ring" {
    defaults = { id = "projects/mlops-test/locations/europe-west4/keyRings/mlops-core-dev-g1" }
  }
  mock_resource "google_kms_crypto_key" {
    defaults = { id = "projects/mlops-test/locations/europe-west4/keyRings/mlops-core-dev-g1/cryptoKeys/storage" }
  }
}

variables {
  project_id = "mlops-test"
  region     = "europe-west4"
  name       = "mlops-core-dev"
  keys       = { storage = ["serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com"] }
}

run "keys_rotate_and_only_their_users_use_them" {
  assert {
    condition     = google_kms_crypto_key.this["storage"].rotation_period == "7776000s"
    error_message = "The key never rotates."
  }
  assert {
    condition     = [for user in google_kms_crypto_key_iam_member.this : user.role] == ["roles/cloudkms.cryptoKeyEncrypterDecrypter"]
    error_message = "Somebody else uses the key."
  }
}

run "the_next_life_has_another_ring" {
  command = plan
  variables {
    generation = 2
  }
  assert {
    condition     = google_kms_key_ring.this.name == "mlops-core-dev-g2"
    error_message = google_kms_key_ring.this.name
  }
}

run "half_a_generation_is_refused" {
  command = plan
  variables {
    generation = 1.5
  }
  expect_failures = [var.generation]
}

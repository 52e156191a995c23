environment         = "staging"
region              = "europe-west4"
profile             = "standard"
deletion_protection = false

network = {
  cidr = "10.41.0.0/16"
}

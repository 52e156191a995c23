environment         = "prod"
region              = "europe-west4"
profile             = "production"
deletion_protection = true

network = {
  cidr = "10.42.0.0/16"
}

environment         = "dev"
region              = "europe-west4"
profile             = "minimal"
deletion_protection = false

network = {
  cidr = "10.40.0.0/16"
}

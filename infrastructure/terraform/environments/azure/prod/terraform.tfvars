environment         = "prod"
region              = "westeurope"
profile             = "production"
deletion_protection = true

network = {
  cidr = "10.42.0.0/16"
}

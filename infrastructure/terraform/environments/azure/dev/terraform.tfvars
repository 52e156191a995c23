environment         = "dev"
region              = "westeurope"
profile             = "minimal"
deletion_protection = false

network = {
  cidr = "10.40.0.0/16"
}

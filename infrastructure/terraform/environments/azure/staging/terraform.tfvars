environment         = "staging"
region              = "westeurope"
profile             = "standard"
deletion_protection = false

network = {
  cidr = "10.41.0.0/16"
}

environment         = "dev"
region              = "local"
profile             = "minimal"
deletion_protection = false

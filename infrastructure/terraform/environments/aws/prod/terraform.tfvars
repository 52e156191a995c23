environment         = "prod"
region              = "eu-west-1"
profile             = "production"
deletion_protection = true

network = { cidr = "10.30.0.0/16" }

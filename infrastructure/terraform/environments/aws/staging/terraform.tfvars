environment         = "staging"
region              = "eu-west-1"
profile             = "standard"
deletion_protection = false

network = { cidr = "10.20.0.0/16" }

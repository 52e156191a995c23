environment         = "prod"
region              = "europe-west4"
profile             = "production"
deletion_protection = true

network = {
  cidr = "10.42.0.0/16"
}

# The endpoint stays private until a range is named here:
# cluster_access = { public = true, cidrs = ["203.0.113.7/32"] }

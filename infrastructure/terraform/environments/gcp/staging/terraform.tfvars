environment         = "staging"
region              = "europe-west4"
profile             = "standard"
deletion_protection = false

network = {
  cidr = "10.41.0.0/16"
}

# The endpoint stays private until a range is named here:
# cluster_access = { public = true, cidrs = ["203.0.113.7/32"] }

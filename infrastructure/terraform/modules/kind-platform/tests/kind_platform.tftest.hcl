mock_provider "kind" {
  mock_resource "kind_cluster" {
    defaults = { cluster_ca_certificate = "CA", endpoint = "https://127.0.0.1:6443" }
  }
}

variables {
  environment = "dev"
  region      = "local"
}

run "outputs_are_those_of_a_cloud_with_nothing_in_them_that_kind_has_not" {
  assert {
    condition     = output.cloud == "local" && output.cluster_name == "mlops-core-dev" && output.secret_store == { kind = "kubernetes", ref = "" } && output.network_id == ""
    error_message = "Outputs differ."
  }
  assert {
    condition     = toset(keys(output.identities)) == toset(["argo-server", "argo-workflow", "external-secrets", "kserve", "mlflow"]) && output.identities["mlflow"].service_account == "mlflow"
    error_message = jsonencode(output.identities)
  }
  assert {
    condition     = output.cluster_ca_certificate == base64encode("CA")
    error_message = output.cluster_ca_certificate
  }
}

run "a_laptop_needs_one_node" {
  variables {
    profile = "minimal"
  }
  assert {
    condition     = sum([for pool in local.pools : pool.count]) == 0
    error_message = jsonencode(local.pools)
  }
}

run "pools_are_labelled_and_tainted_alike_on_all_clouds" {
  assert {
    condition     = { for name, pool in output.node_pools : name => [for taint in pool.taints : "${taint.key}=${taint.value}:${taint.effect}"] } == { general = [], training = ["mlops.io/pool=training:NoSchedule"], gpu = ["nvidia.com/gpu=present:NoSchedule"] }
    error_message = jsonencode(output.node_pools)
  }
}

run "workers_are_as_many_as_desired" {
  variables {
    node_pools = { general = { desired = 2 }, highmem = {} }
  }
  assert {
    condition     = local.pools["general"].count == 2 && local.pools["highmem"].count == 1 && local.pools["training"].count == 1
    error_message = jsonencode(local.pools)
  }
}

run "postgres_has_a_secret_for_its_password" {
  variables {
    database = { engine = "postgres" }
  }
  assert {
    condition     = output.database.secret_ref == "mlflow-database" && contains(keys(output.secrets), "mlflow-database") # checkov:skip=CKV_SECRET_6: the name of an entry
    error_message = jsonencode(output.database)
  }
}

run "a_region_of_a_cloud_is_refused" {
  command = plan
  variables {
    region = "eu-west-1"
  }
  expect_failures = [var.region]
}

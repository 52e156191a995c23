mock_provider "kind" {
  mock_resource "kind_cluster" {
    defaults = { cluster_ca_certificate = "CA", endpoint = "https://127.0.0.1:6443" }
  }
}

variables {
  name = "mlops-core-dev"
}

run "everything_listens_on_the_loopback_address_only" {
  assert {
    condition     = kind_cluster.this.kind_config[0].networking[0].api_server_address == "127.0.0.1"
    error_message = "The API server listens elsewhere."
  }
  assert {
    condition     = alltrue([for port in kind_cluster.this.kind_config[0].node[0].extra_port_mappings : port.listen_address == "127.0.0.1"])
    error_message = "A port listens elsewhere."
  }
}

run "http_and_https_lead_to_the_node" {
  assert {
    condition     = { for port in kind_cluster.this.kind_config[0].node[0].extra_port_mappings : tostring(port.host_port) => port.container_port } == { "8080" = 80, "8443" = 443 }
    error_message = jsonencode(kind_cluster.this.kind_config[0].node[0].extra_port_mappings)
  }
}

run "the_image_is_pinned_by_digest" {
  assert {
    condition     = can(regex("^kindest/node:v1\\.35\\.[0-9]+@sha256:[0-9a-f]{64}$", kind_cluster.this.node_image))
    error_message = kind_cluster.this.node_image
  }
}

run "a_cluster_without_workers_takes_general_work_itself" {
  assert {
    condition     = kind_cluster.this.kind_config[0].node[0].labels["mlops.io/pool"] == "general" && length(kind_cluster.this.kind_config[0].node) == 1
    error_message = jsonencode(kind_cluster.this.kind_config[0].node)
  }
}

run "workers_carry_their_pools_labels_and_taints" {
  variables {
    pools = { training = { count = 2, labels = { "mlops.io/pool" = "training" }, taints = [{ key = "mlops.io/pool", value = "training", effect = "NoSchedule" }] } }
  }
  assert {
    condition     = [for node in kind_cluster.this.kind_config[0].node : node.role] == ["control-plane", "worker", "worker"]
    error_message = jsonencode(kind_cluster.this.kind_config[0].node)
  }
  assert {
    condition = yamldecode(kind_cluster.this.kind_config[0].node[1].kubeadm_config_patches[0]) == {
      kind             = "JoinConfiguration"
      nodeRegistration = { taints = [{ key = "mlops.io/pool", value = "training", effect = "NoSchedule" }] }
    }
    error_message = kind_cluster.this.kind_config[0].node[1].kubeadm_config_patches[0]
  }
}

run "without_a_network_terraform_does_not_wait_for_nodes" {
  variables {
    disable_default_cni = true
  }
  assert {
    condition     = kind_cluster.this.kind_config[0].networking[0].disable_default_cni && !kind_cluster.this.wait_for_ready
    error_message = "Terraform would wait for ever."
  }
}

run "with_a_registry_every_node_knows_where_it_is" {
  variables {
    registry = true
    pools    = { general = { count = 1 } }
  }
  assert {
    condition     = alltrue([for node in kind_cluster.this.kind_config[0].node : endswith(node.extra_mounts[0].host_path, "certs.d") && node.extra_mounts[0].container_path == "/etc/containerd/certs.d"])
    error_message = jsonencode(kind_cluster.this.kind_config[0].node)
  }
  assert {
    condition     = output.registry_url == "localhost:5001"
    error_message = output.registry_url
  }
}

run "a_public_endpoint_is_refused" {
  command = plan
  variables {
    access = { public = true, cidrs = ["0.0.0.0/0"] }
  }
  expect_failures = [var.access]
}

run "a_version_without_an_image_is_refused" {
  command = plan
  variables {
    kubernetes_version = "1.29"
  }
  expect_failures = [var.kubernetes_version]
}

run "two_names_for_one_port_are_refused" {
  command = plan
  variables {
    ports = { http = { host = 8080, node = 80 }, https = { host = 8080, node = 443 } }
  }
  expect_failures = [var.ports]
}

run "addresses_that_are_none_are_refused" {
  command = plan
  variables {
    load_balancer_range = "all"
  }
  expect_failures = [var.load_balancer_range]
}

run "a_name_with_capitals_is_refused" {
  command = plan
  variables {
    name = "Mlops"
  }
  expect_failures = [var.name]
}

run "a_hundred_workers_are_refused" {
  command = plan
  variables {
    pools = { general = { count = 100 } }
  }
  expect_failures = [var.pools]
}

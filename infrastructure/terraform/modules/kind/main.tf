locals {
  # Kind's node images carry their patch and digest: the digest is what runs.
  images = {
    "1.35" = "kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f"
    "1.36" = "kindest/node:v1.36.1@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5"
  }

  workers = merge([
    for name, pool in var.pools : { for index in range(pool.count) : "${name}-${index}" => pool }
  ]...)

  # Kind's images since 0.27 read this folder of their own accord: no patch of containerd's configuration.
  registry_mounts = var.registry ? { certs = abspath("${path.module}/certs.d") } : {}
}

# Every change makes the cluster anew: Kind configures nodes at birth only.
resource "kind_cluster" "this" {
  name            = var.name
  node_image      = var.node_image == "" ? local.images[var.kubernetes_version] : var.node_image
  kubeconfig_path = var.kubeconfig_path == "" ? null : var.kubeconfig_path
  # Without a CNI no node gets ready, and waiting would never end.
  wait_for_ready = !var.disable_default_cni

  kind_config {
    kind        = "Cluster"
    api_version = "kind.x-k8s.io/v1alpha4"

    networking {
      api_server_address  = "127.0.0.1"
      pod_subnet          = var.cidrs.pods
      service_subnet      = var.cidrs.services
      disable_default_cni = var.disable_default_cni
    }

    node {
      role   = "control-plane"
      labels = merge({ "ingress-ready" = "true" }, length(local.workers) == 0 ? { "mlops.io/pool" = "general" } : {})

      dynamic "extra_port_mappings" {
        for_each = var.ports

        content {
          container_port = extra_port_mappings.value.node
          host_port      = extra_port_mappings.value.host
          listen_address = "127.0.0.1"
          protocol       = "TCP"
        }
      }

      dynamic "extra_mounts" {
        for_each = local.registry_mounts

        content {
          host_path      = extra_mounts.value
          container_path = "/etc/containerd/certs.d"
          read_only      = true
        }
      }
    }

    dynamic "node" {
      for_each = local.workers

      content {
        role   = "worker"
        labels = node.value.labels

        kubeadm_config_patches = length(node.value.taints) == 0 ? [] : [yamlencode({
          kind             = "JoinConfiguration"
          nodeRegistration = { taints = node.value.taints }
        })]

        dynamic "extra_mounts" {
          for_each = local.registry_mounts

          content {
            host_path      = extra_mounts.value
            container_path = "/etc/containerd/certs.d"
            read_only      = true
          }
        }
      }
    }
  }
}

output "id" {
  description = "Id of the network."
  value       = google_compute_network.this.id
}

output "private_services_network_id" {
  description = "Id of the network, known only when managed services may join it."
  value       = google_compute_network.this.id
  depends_on  = [google_service_networking_connection.this]
}

output "range_names" {
  description = "Names of the subnet's secondary ranges."
  value       = { pods = "pods", services = "services" }
}

output "subnet_id" {
  description = "Id of the nodes' subnet, known only when its way out stands."
  value       = google_compute_subnetwork.nodes.id
  depends_on  = [google_compute_router_nat.this]
}

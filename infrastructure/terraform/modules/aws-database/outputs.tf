output "host" {
  description = "Name of the host."
  value       = aws_db_instance.this.address
}

output "name" {
  description = "Name of the database."
  value       = aws_db_instance.this.db_name
}

output "port" {
  description = "Port."
  value       = aws_db_instance.this.port
}

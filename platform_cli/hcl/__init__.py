"""Reads Terraform's language as far as the roots need it: no Terraform, no provider, no cloud."""

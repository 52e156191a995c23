"""Argo's Workflow spec on this machine: model, lint, expressions, the local engine."""

"""The `mlops` command: plans, applies and watches an ML platform."""

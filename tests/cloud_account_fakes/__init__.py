"""Accounts of clouds for tests: one in memory, and small servers that speak the APIs. All pass the same tests."""

"""Thin typed wrappers around the programs and services we drive."""

"""Turns events and results into what people and programs read; nothing else prints."""

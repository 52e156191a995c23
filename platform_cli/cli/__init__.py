"""Typer commands: parse, call, render. One module per noun."""

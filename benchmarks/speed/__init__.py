"""Measurement of all speed goals next to other products: `python -m benchmarks.speed`."""

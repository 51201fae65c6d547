"""Measurements of speed and quality next to the alternatives."""

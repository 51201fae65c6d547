"""Attacks on a real service on loopback, each bounded in time. Only `make attack` runs them."""

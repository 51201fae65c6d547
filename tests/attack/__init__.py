"""Attacks on a real service on loopback, each bounded in time. `make attack` runs them; other targets leave them out."""

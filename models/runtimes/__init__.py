"""Runtimes that compute models on this machine, and the choice among them."""

"""Offline: reading corpora, and the run that brings them into an index and goes on after a kill."""

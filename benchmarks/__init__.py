"""Measurements side by side against what a user would pick instead; never part of the test run."""

"""The goals for speed, measured side by side: `python -m benchmarks.speed`."""

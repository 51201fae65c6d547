"""Runs `python -m rerank.cli`, the same as `rerank-cli`."""

from __future__ import annotations

from rerank.cli.main import main

if __name__ == "__main__":
    main()

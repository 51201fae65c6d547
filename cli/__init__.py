"""Command line `rerank-cli`: one module per command in `commands/`."""

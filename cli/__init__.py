"""The `rerank-cli` command line: one module per command in `commands/`, assembled in `composition`."""

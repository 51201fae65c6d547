"""The recipes behind `rerank-cli train`."""

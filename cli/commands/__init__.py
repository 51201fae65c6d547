"""Commands of `rerank-cli`, one module each, imported when the command is called."""

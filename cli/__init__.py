"""`rerank-cli`: one file a command, and the composition root of the command line."""

"""How other rerankers are asked and answer: one file a dialect, one handler for all, the dialect read from the body."""

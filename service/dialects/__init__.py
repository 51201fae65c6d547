"""Rerank APIs of other products. Each module defines one dialect; one view serves them all and detects the dialect."""

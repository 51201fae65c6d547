"""Ingest: reads corpora, encodes documents and writes them to an index; an interrupted run can be resumed."""

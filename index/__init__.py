"""Stores: embedded (LanceDB in a folder) and OpenSearch, behind one interface."""

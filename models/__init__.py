"""Encoders and rerankers: loading, computing, training and promotion."""

from rerank.models.telemetry import disable_telemetry

# The only side effect of an import: no module below can import a library before its telemetry is off.
disable_telemetry()

"""Embedding APIs of other products. Each module defines the bodies and responses of one product."""

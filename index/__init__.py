"""Where documents live: one protocol, two homes."""

"""Loss functions and the modules that a run trains."""

"""HTTP service: the Flask application, its resources, and the server that runs it."""

"""Connections of clients: sockets with deadlines, and the request heads that arrive on them."""

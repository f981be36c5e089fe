"""One process of the product from the outside: its socket, its life line to the supervisor, its HTTP server."""

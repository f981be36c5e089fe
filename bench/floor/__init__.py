"""What the machine can do: bare ASGI, one prepared select in a tenant transaction, no authentication."""

"""What an operator saves before anything is mended, and sends to whoever helps: no secrets, no contents of firms."""

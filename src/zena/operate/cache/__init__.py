"""Looking at the cache and clearing it."""

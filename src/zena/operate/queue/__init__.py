"""Looking at the queue and setting it right."""

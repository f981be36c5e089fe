"""What `make` calls: set-up, and the checks that need the whole tree."""

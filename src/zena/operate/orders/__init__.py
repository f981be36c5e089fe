"""What operators ask for in the console: written down where pages are served, done by a worker."""

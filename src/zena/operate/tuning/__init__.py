"""What operators set for a while, while everything runs: it takes effect within a second, and ends by itself."""

"""Stack files: what Compose files say, read with the place of every word."""

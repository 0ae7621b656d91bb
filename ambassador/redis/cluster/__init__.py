"""Redis Cluster behind one connection: slots, redirects, and commands that concern several nodes."""

"""Redis Cluster behind one connection: slots, redirects, commands that concern several nodes."""

"""Look like one Redis: writes to the primary, reads to replicas."""

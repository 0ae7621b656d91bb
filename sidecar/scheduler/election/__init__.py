"""Who of several schedulers may act: a lock in a store or a file, and the lease on it."""

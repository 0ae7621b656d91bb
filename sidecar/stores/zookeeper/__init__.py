"""ZooKeeper as a store. ``opening`` is the way in."""

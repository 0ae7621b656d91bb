"""Docker engines as nodes: a connection each, what they hold, and whether they can be reached."""

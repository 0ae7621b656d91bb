"""The first process of a container: starts jobs in order, watches them, ends them in order."""

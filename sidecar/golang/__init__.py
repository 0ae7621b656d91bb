"""Text as Go's standard library writes and reads it. Pure."""

"""A small HTTP server for parts that stand alone beside something else (decision 31)."""

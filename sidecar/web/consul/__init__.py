"""The Consul-compatible HTTP API: one module per family of paths."""

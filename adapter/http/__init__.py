"""Any program's statistics, JSON or text by HTTP, to Prometheus by rules."""

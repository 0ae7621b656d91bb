"""Health checks: definitions and runners."""

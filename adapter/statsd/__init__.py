"""StatsD to Prometheus: what statsd_exporter does, and what it lacks."""

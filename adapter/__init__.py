"""Adapters: foreign statistics as Prometheus metrics."""

"""Lifecycle, time, retry and logging."""

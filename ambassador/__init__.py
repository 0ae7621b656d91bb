"""Ambassadors: local proxies that stand for a remote service."""

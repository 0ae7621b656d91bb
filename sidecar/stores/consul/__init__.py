"""Consul as a store: a thin client, the edges and mirrors of its catalogue and of its keys."""

"""Connections to the instances of a service: the ambassador that knows no protocol."""

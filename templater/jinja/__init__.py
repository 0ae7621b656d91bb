"""Jinja2 as a language for our own templates: always sandboxed, always bounded.

Nothing here is imported unless a template is configured: Jinja2 costs 6 MB of memory.
"""

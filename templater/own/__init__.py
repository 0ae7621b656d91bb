"""Our own templates: `[[template]]` of the configuration, rendered from the live catalogue."""

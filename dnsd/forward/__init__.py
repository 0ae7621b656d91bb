"""Questions that other servers answer."""

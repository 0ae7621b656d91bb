"""The commands of ``pinnace stack``, ``pinnace node`` and ``pinnace why``."""

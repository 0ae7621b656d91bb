"""Settings: frozen types, read from flags, environment, file and defaults, in that order.

Nothing is imported here: who only needs ``units`` should not load the types of all settings.
"""

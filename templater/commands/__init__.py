"""Commands around a file: the check before it is placed, the reload after."""

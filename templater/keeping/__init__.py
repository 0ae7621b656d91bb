"""Keeps one file as it should be, whoever renders it: staged, checked, placed, told of."""

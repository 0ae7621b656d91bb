"""Files that other programs read: written whole or not at all, and what they still owe a reload."""

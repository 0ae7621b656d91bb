"""Where the catalogue is kept: one module per store."""

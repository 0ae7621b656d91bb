"""Where the values of templates come from: one module per kind, behind ``base.Backend``."""

"""Go's text/template: parses, runs and compiles templates as Go does. Pure.

Text goes through ``lexer`` and ``parser`` to the tree of ``nodes``; ``walker`` runs the tree,
``compiler`` makes a Python function of it. Both share the rules of values in ``values``,
``access``, ``calls``, ``fmt`` and ``builtins``, so they give the same bytes. Callers need only
``sidecar.gotemplate.template``.
"""

"""Keep a folder equal to a ref of a git repository, and flip to each new commit at once."""

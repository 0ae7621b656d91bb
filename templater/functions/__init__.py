"""What templates of all dialects share: times, JSON, YAML, TOML and regular expressions. Pure."""

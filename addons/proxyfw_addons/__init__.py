"""Built-in addons."""

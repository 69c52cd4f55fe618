"""proxyfw."""

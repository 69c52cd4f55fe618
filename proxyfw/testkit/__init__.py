"""What `proxyfw.testing` and the pytest plugin are made of; nothing here runs in a proxy of a user."""

"""What `proxyfw.contentviews` consists of: what a view is, what it is told, and how it is run."""

"""What a program must be told, by its environment alone, to go through the proxy and to trust it."""

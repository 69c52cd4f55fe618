"""The stories, as coroutines: what happens to a connection, a request, a tunnel. No sockets, no features."""

"""Sans-IO codecs: bytes in, events out; events in, bytes out. No sockets, no event loop, no hooks."""

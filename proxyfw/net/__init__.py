"""The only place with sockets: wires (byte streams), TLS over them, dialling, listening, a memory network."""

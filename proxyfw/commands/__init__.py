"""What lies behind `proxyfw.command`: words of a line, kinds of parameters, flows by selector."""

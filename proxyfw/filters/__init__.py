"""What is behind `proxyfw.flowfilter`: words, the parser, the operators, and what they look at."""

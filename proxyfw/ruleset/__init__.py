"""The inner pieces of `proxyfw.rules`: patterns, matchers, the shape of rules as data, the order they run in.

They know flows and filters, no socket and no event loop; addon authors meet them through `proxyfw.rules`.
"""

"""The inner pieces of the model: byte-exact views over headers, URLs, cookies, forms and bodies.

They know the standard library only; addon authors meet them through `proxyfw.http` and its neighbours.
"""

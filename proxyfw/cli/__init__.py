"""The command line: a shell around `proxyfw.proxy.Proxy` and the reports on what is installed.

It may know every other room, and imports what is heavy only when it is needed, so that ``--help`` is quick.
"""

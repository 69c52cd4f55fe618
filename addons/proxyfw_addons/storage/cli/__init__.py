"""The commands ``proxyfw sessions`` and ``proxyfw flows``: what is stored, without a proxy that runs."""

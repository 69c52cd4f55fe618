"""How addons are examined, called and reported on; internal: the public side is `proxyfw.addonmanager`."""

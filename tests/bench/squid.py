"""Squid, set up to intercept TLS and to cache nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from machine import program
from origin import make_authority

NEEDS = ("squid", "security_file_certgen")

_CONFIGURATION = """
http_port 127.0.0.1:{port} ssl-bump cert={home}/ca.pem key={home}/ca.key generate-host-certificates=on
sslcrtd_program {certgen} -s {home}/certificates -M 4MB
sslcrtd_children 1 startup=1 idle=1
tls_outgoing_options cafile={origin_ca}
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump bump all
http_access allow all
cache deny all
access_log none
cache_log {home}/cache.log
cache_store_log none
pid_filename {home}/squid.pid
coredump_dir {home}
http_upgrade_request_protocols OTHER allow all
visible_hostname localhost
pinger_enable off
shutdown_lifetime 0 seconds
max_filedescriptors 8192
client_idle_pconn_timeout 15 minutes
pconn_timeout 15 minutes
workers 1
"""


def set_up(home: Path, port: int, origin_ca: Path) -> None:
    """Write the configuration and, once, a CA and the store of its certificates."""
    certgen = program("security_file_certgen")
    if not (home / "ca.pem").exists():
        make_authority(home, "squid CA")
        store: list[str | Path] = [certgen or "", "-c", "-s", home / "certificates", "-M", "4MB"]
        subprocess.run(store, check=True, capture_output=True)
        subprocess.run(["chown", "-R", "proxy", home], check=True)  # squid does not stay root
    places = {"port": port, "home": home, "certgen": certgen, "origin_ca": origin_ca}
    (home / "squid.conf").write_text(_CONFIGURATION.format(**places))

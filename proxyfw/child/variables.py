"""The variables, by who reads them. Docs: ``docs/howto/exec.md``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from .roots import PASSWORD, Roots

NODE_PRELOAD = Path(__file__).with_name("node_proxy.cjs")

_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_BUNDLE = (
    "SSL_CERT_FILE",  # OpenSSL and what is built on it, Python's ssl, Ruby, Go, Rust, uv
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "BUNDLE_SSL_CA_CERT",
    "COMPOSER_CAFILE",
    "HEX_CACERTS_PATH",
    "NIX_SSL_CERT_FILE",
    "PERL_LWP_SSL_CA_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "npm_config_cafile",
)
_ADDED = ("NODE_EXTRA_CA_CERTS", "DENO_CERT")
"""Those who read these trust what is in them as well as what they trust anyway."""


def variables(url: str, roots: Roots, environment: Mapping[str, str]) -> dict[str, str]:
    """What to set beyond *environment*, so that a child goes through the proxy at *url* and trusts *roots*.

    Nothing is excepted, so that a test's own server on this machine is seen too.
    """
    found = {spelling: url for name in _PROXY for spelling in (name, name.lower())}
    found |= {"grpc_proxy": url, "npm_config_proxy": url, "npm_config_https_proxy": url}
    found |= dict.fromkeys(("NO_PROXY", "no_proxy", "no_grpc_proxy", "npm_config_noproxy"), "")
    found |= dict.fromkeys(_BUNDLE, str(roots.bundle))
    found |= dict.fromkeys(_ADDED, str(roots.authority))
    found["NODE_USE_ENV_PROXY"] = "1"
    found["NODE_OPTIONS"] = _appended(environment, "NODE_OPTIONS", f'--require "{NODE_PRELOAD}"')
    found["JAVA_TOOL_OPTIONS"] = _appended(environment, "JAVA_TOOL_OPTIONS", _java(url, roots))
    return found


def _appended(environment: Mapping[str, str], name: str, more: str) -> str:
    return f"{environment.get(name, '')} {more}".lstrip()


def _java(url: str, roots: Roots) -> str:
    place = urlsplit(url)
    properties = {
        "http.proxyHost": place.hostname,
        "http.proxyPort": place.port,
        "https.proxyHost": place.hostname,
        "https.proxyPort": place.port,
        "http.nonProxyHosts": "",
        "javax.net.ssl.trustStore": f'"{roots.java}"',
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": PASSWORD,
    }
    return " ".join(f"-D{name}={value}" for name, value in properties.items())

"""Requests to a server: addresses, TLS, proxies, time limits, retries and masked secrets."""

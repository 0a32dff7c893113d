"""The one place that knows addresses, TLS, proxies, retries and what must not be shown."""

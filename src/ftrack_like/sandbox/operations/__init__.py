"""What operators of a sandbox need: request ids, logs, health and metrics.

These modules are a layer around the web application. The application does not know them.
"""

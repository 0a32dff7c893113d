"""The network side of the sandbox: connections, hosts, origins and failed log-ins.

:mod:`.settings` contains the options. :mod:`.connections` and :mod:`.protocols` limit the
connections. :mod:`.gate` checks the host of a request and the page that sends it. :mod:`.throttle`
limits attempts with wrong keys.
"""

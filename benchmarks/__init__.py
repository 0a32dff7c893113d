"""Measure this client beside the published one, in one go and in turn.

``python -m benchmarks`` (or ``tox run -e bench``) starts a small server with canned answers in a
process of its own, then runs every workload with ``ftrack_api`` and ``ftrack_like`` alternately
(A B A B …), each time in a new process, and prints medians, ranges and the ratio of the medians.
Machines are noisy: only the ratios of one go are worth quoting.

- ``pages``: the data, made up here, the same in every run.
- ``server``: answers API calls from that data in about 0.2 ms.
- ``workloads``: what is measured, written against the public API with the module as an argument.
- ``floors``: what the same answers cost with no client library at all.
- ``measure``: runs one workload once, in this process, and prints its figures as JSON.
- ``farm``: a benchmark for itself, with many worker processes (``python -m benchmarks.farm``).
"""

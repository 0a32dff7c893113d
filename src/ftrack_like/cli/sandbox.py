"""`ftrack-like sandbox`: run a sandbox until it is interrupted."""

from __future__ import annotations

from ftrack_like.sandbox.command_line import add_arguments, run

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "run a server that speaks ftrack's protocol, to develop and test against"

"""Behaviour tests: minimal pairs whose right order is known."""

from medloom.bench.checks.suite import ChecksSuite

__all__ = ["ChecksSuite"]

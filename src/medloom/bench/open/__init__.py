"""The suite ``open``: tasks that build on any machine, from the terminologies that packages carry."""

from medloom.bench.open.suite import OpenSuite

__all__ = ["OpenSuite"]

"""A recipe made small, to see in minutes that it is whole."""

from medloom.smoke.shrink import shrunk

__all__ = ["shrunk"]

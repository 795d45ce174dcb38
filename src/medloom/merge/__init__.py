"""Averages of models: linear, by depth, along the arc; given, found or swept, and scored."""

from medloom.merge.config import MergeConfig

__all__ = ["MergeConfig"]

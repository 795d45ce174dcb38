"""Where documents come from: one file per corpus, all the same shape.

A module of this package that defines a :class:`~medloom.sources.base.SourceConfig` subclass is a source; its ``type`` is
the word that recipes use. Nothing else needs to be told of it.
"""

from medloom.sources.base import Rejects, Release, Source, SourceConfig, known_sources

__all__ = ["Rejects", "Release", "Source", "SourceConfig", "known_sources"]

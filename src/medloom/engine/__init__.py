"""Who shares a piece of work: processes of this machine, or workers of a cluster."""

from medloom.engine.base import HERE, HOW_ONLY, Engine, EngineName, LocalEngine, Sharing, joined_cluster, open_engine

__all__ = ["HERE", "HOW_ONLY", "Engine", "EngineName", "LocalEngine", "Sharing", "joined_cluster", "open_engine"]

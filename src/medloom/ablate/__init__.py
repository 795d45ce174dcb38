"""Ablations: one recipe, changed one setting at a time, each change judged on the same tasks."""

from medloom.ablate.config import Ablation
from medloom.ablate.run import ablate
from medloom.ablate.table import Row, Table

__all__ = ["Ablation", "Row", "Table", "ablate"]

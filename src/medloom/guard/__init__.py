"""What keeps test text out of training: splits by concept, duplicates, contamination."""

from medloom.guard.config import GuardConfig, GuardCounts
from medloom.guard.contamination import EvaluationTexts
from medloom.guard.guard import GuardTables, guard
from medloom.guard.split import split_sides

__all__ = ["EvaluationTexts", "GuardConfig", "GuardCounts", "GuardTables", "guard", "split_sides"]

"""What keeps test text out of training: splits by concept, duplicates, contamination."""

from medloom.guard.contamination import EvaluationTexts
from medloom.guard.guard import GuardConfig, GuardCounts, guard
from medloom.guard.split import split_sides

__all__ = ["EvaluationTexts", "GuardConfig", "GuardCounts", "guard", "split_sides"]

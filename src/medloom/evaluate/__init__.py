"""Is the tuned model better, and is the difference real?"""

from medloom.evaluate.compare import Comparison, TaskRow, compare
from medloom.evaluate.config import EvaluateConfig
from medloom.evaluate.suite import build_suite
from medloom.evaluate.tasks import Task

__all__ = ["Comparison", "EvaluateConfig", "Task", "TaskRow", "build_suite", "compare"]

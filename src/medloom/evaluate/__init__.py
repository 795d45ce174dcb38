"""Is the tuned model better, and is the difference real?"""

from medloom.evaluate.compare import Comparison, TaskRow, compare
from medloom.evaluate.config import EvaluateConfig
from medloom.evaluate.suite import SuiteTask, build_suite

__all__ = ["Comparison", "EvaluateConfig", "SuiteTask", "TaskRow", "build_suite", "compare"]

"""Contrastive fine-tuning of dense encoders, late-interaction models and static students."""

from medloom.train.config import TrainConfig
from medloom.train.dense import train_dense
from medloom.train.late import LateConfig, train_late
from medloom.train.loop import TrainResult
from medloom.train.static import StaticConfig, train_static

Training = TrainConfig | LateConfig | StaticConfig
TRAININGS: dict[str, type[Training]] = {"dense": TrainConfig, "late-interaction": LateConfig, "static": StaticConfig}
"""Settings by the kind of training."""

__all__ = [
    "TRAININGS",
    "LateConfig",
    "StaticConfig",
    "TrainConfig",
    "TrainResult",
    "Training",
    "train_dense",
    "train_late",
    "train_static",
]

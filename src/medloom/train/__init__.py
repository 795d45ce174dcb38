"""Contrastive fine-tuning."""

from medloom.train.config import TrainConfig
from medloom.train.dense import train_dense
from medloom.train.loop import TrainResult

__all__ = ["TrainConfig", "TrainResult", "train_dense"]

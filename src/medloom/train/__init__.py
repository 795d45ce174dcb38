"""Contrastive fine-tuning."""

from medloom.train.config import TrainConfig
from medloom.train.dense import TrainResult, train_dense

__all__ = ["TrainConfig", "TrainResult", "train_dense"]

"""Contrastive fine-tuning."""

from medloom.train.dense import TrainConfig, TrainResult, train_dense

__all__ = ["TrainConfig", "TrainResult", "train_dense"]

"""Pairs from structure, hard negatives, and the filters that keep false negatives out."""

from medloom.mine.config import NegativesConfig
from medloom.mine.negatives import mine_negatives
from medloom.mine.pairs import PairsConfig, pairs_of, target_of

__all__ = ["NegativesConfig", "PairsConfig", "mine_negatives", "pairs_of", "target_of"]

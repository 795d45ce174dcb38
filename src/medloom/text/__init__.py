"""Cleaning and cutting text."""

from medloom.text.normalise import characters_key, clean, text_key, words
from medloom.text.sections import paragraphs, split_markdown

__all__ = ["characters_key", "clean", "paragraphs", "split_markdown", "text_key", "words"]

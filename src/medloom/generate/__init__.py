"""Queries and passages from a language model: client, prompts, run, checks."""

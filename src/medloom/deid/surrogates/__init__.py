"""Invented values in the place of real ones: of the same kind and shape, the same throughout a patient's notes."""

from medloom.deid.surrogates.note import NoteSurrogates

__all__ = ["NoteSurrogates"]

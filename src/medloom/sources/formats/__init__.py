"""Readers of the forms that text comes in: rows, terms, records, markup. None of them is a source by itself."""

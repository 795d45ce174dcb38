"""The rules, one file a family: each reads a page and gives what it is sure of."""

"""Index and query: dense, lexical, fused, re-ranked, with the evidence marked."""

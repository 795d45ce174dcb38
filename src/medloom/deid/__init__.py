"""Finding and replacing identifiers, and the gate that unprocessed notes cannot pass."""

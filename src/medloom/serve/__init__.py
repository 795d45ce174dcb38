"""The model over HTTP: embeddings and reranking as other services speak them, safe by default."""

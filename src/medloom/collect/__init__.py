"""From a service or files to documents: asked politely, resumable, the same again by its lock."""

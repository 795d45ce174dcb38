"""Text in, vectors out."""

from medloom.encode.encoder import Encoder, Precision, Role, load_encoder
from medloom.encode.models import ModelRef, resolve_model
from medloom.encode.shards import VectorFolder, encode_to_file

__all__ = ["Encoder", "ModelRef", "Precision", "Role", "VectorFolder", "encode_to_file", "load_encoder", "resolve_model"]

"""Download of the real tiles from the Hugging Face hub."""

from data.fetch.download import fetch
from data.fetch.stream import FetchError

__all__ = ["FetchError", "fetch"]

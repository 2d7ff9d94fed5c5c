from .download import fetch
from .stream import FetchError

__all__ = ["FetchError", "fetch"]

from .write_twin import MANIFEST, make_twin

__all__ = ["MANIFEST", "make_twin"]

"""Which Sentinel-1 acquisitions of a place there are around an event: STAC catalogues, ASF, folders of products."""

try:
    import pystac  # noqa: F401 - all modules need it
except ImportError as error:
    raise ImportError(
        "The search for acquisitions needs packages of an extra. Install it: pip install 'landslide-benchmark[scene]'"
    ) from error

"""Which Sentinel-1 acquisitions of a place there are around an event: STAC catalogues, ASF, folders of products."""

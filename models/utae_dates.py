"""U-TAE as its paper designed it: with the dates of the acquisitions.

Paper: Garnot and Landrieu (2021), Panoptic Segmentation of Satellite Image Time Series with Convolutional Temporal
Attention Networks, arXiv:2107.07933.

`models.utae` is the network as the data set's authors ran it, which cannot tell before from after the event. This is the
same network, with the same number of weights, with days from the event in its attention. So the two rows of a table differ
in the dates alone.
"""

from models import utae


class UTAEDates(utae.UTAE):
    """U-TAE that reads dates, takes any T, and gives missing acquisitions no attention.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        width: Like the others, as in `models.utae.UTAE`.
        decoder_width: Channels of the decoder's finer levels.
        depth: Number of poolings.
        heads: Attention heads.
        dropout: Share dropped after the attention's MLP.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    def __init__(
        self,
        in_channels: int,
        timesteps: int,
        width: int = 64,
        decoder_width: int = 32,
        depth: int = 3,
        heads: int = 16,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(
            *(in_channels, timesteps, width, decoder_width, depth, heads, dropout), dates=True
        )


build = UTAEDates
SPACE, NARROW = utae.SPACE, utae.NARROW
PUBLISHED, KNOWN_GOOD = utae.PUBLISHED, utae.KNOWN_GOOD
PAPER_NAME = "UTAE_dates"

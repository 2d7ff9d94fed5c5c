"""The transformer of DIST-S1: from a series of small windows to the backscatter that it expects next.

A window of 16 px is cut into four patches; each patch of each date is a token. The tokens of all dates attend to each
other, and those of the last date give, for each pixel and polarisation, mean and logarithm of the variance of the next
image. Values are logits of gamma nought in linear power.

References:
    Hardiman-Mostow, Marshak, Handwerger (2025), Deep Self-Supervised Disturbance Mapping with the OPERA Sentinel-1
    Radiometric Terrain Corrected SAR Backscatter Product, arXiv 2501.09129: method and training.
    Package ``distmetrics`` 1.0.8 of the OPERA project (Apache-2.0), ``transformer_optimized``: sizes, names of the
    parameters, and that the last image always has the last position in time.
"""

import torch
from torch import Tensor, nn

WINDOW_PX, PATCH_PX = 16, 8
POLARISATIONS = ("VV", "VH")  # in this order
MAX_DATES = 10
_WIDTH, _HEADS, _LAYERS, _HIDDEN = 128, 16, 2, 384
_PATCHES = WINDOW_PX // PATCH_PX  # along one side
_VALUES = len(POLARISATIONS) * PATCH_PX**2  # of a token


class DistS1Network(nn.Module):
    """The transformer, 546,688 parameters; its ``state_dict`` has the names of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(_VALUES, _WIDTH)
        self.spatial_pos_embed = nn.Parameter(torch.zeros(1, 1, _PATCHES**2, _WIDTH))
        self.temporal_pos_embed = nn.Parameter(torch.zeros(1, MAX_DATES, 1, _WIDTH))
        layer = nn.TransformerEncoderLayer(_WIDTH, _HEADS, _HIDDEN, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self.mean_out = _make_head()
        self.logvar_out = _make_head()

    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the image that follows a series.

        Args:
            series: Logits of gamma nought, shape ``(B, T, 2, 16, 16)``, float32, ascending in time, T from 1 to 10, VV
                and VH; no NaN.

        Returns:
            Mean and logarithm of the variance, each of shape ``(B, 2, 16, 16)``.

        Raises:
            ValueError: If the series is longer.
        """
        dates = series.shape[1]
        if not 1 <= dates <= MAX_DATES:
            raise ValueError(
                f"DIST-S1's transformer reads 1 to {MAX_DATES} dates, but got {dates}. Give it the last {MAX_DATES}."
            )
        tokens = self.embedding(_cut_patches(series))
        tokens = tokens + self.spatial_pos_embed + self.temporal_pos_embed[:, MAX_DATES - dates :]
        encoded = self.transformer_encoder(tokens.flatten(1, 2))
        last = encoded[:, -(_PATCHES**2) :]
        return _join_patches(self.mean_out(last)), _join_patches(self.logvar_out(last))


def _make_head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(_WIDTH, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _VALUES))


def _cut_patches(series: Tensor) -> Tensor:
    """Cut windows into patches: ``(B, T, 2, 16, 16)`` to ``(B, T, 4, 128)``, by rows of patches."""
    batch, dates = series.shape[:2]
    cut = series.view(batch, dates, -1, _PATCHES, PATCH_PX, _PATCHES, PATCH_PX)
    return cut.permute(0, 1, 3, 5, 2, 4, 6).reshape(batch, dates, _PATCHES**2, _VALUES)


def _join_patches(patches: Tensor) -> Tensor:
    """Join the patches of one date: ``(B, 4, 128)`` to ``(B, 2, 16, 16)``."""
    cut = patches.view(len(patches), _PATCHES, _PATCHES, -1, PATCH_PX, PATCH_PX)
    return cut.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), -1, WINDOW_PX, WINDOW_PX)

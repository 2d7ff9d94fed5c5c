"""Attention U-Net on all acquisitions at once, the published study's AttentionUNet.

Paper: Oktay et al. (2018), Attention U-Net: Learning Where to Look for the Pancreas,
arXiv:1804.03999.
Published setting: repository snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f. It differs from the paper in
two dimensions instead of three, a gate at every level that the upsampled map steers, and the U-Net's separable
convolutions, LayerNorm and spatial dropout. Written from the description; no code was copied.
"""

from models import unet


class AttentionUNet(unet.UNet):
    """The U-Net with an attention gate on each skip; a gate has the width of its level.

    Arguments and shapes are those of `models.unet.UNet`.
    """

    gated = True


build = AttentionUNet
SPACE = unet.SPACE
PUBLISHED = unet.PUBLISHED
KNOWN_GOOD = unet.KNOWN_GOOD
NARROW = unet.NARROW
PAPER_NAME = "AttentionUNet"

"""Despeckling by total variation, as DIST-S1 does before its transformer.

DIST-S1 denoises each image in dB with scikit-image's ``denoise_tv_bregman(weight=0.2, isotropic=True)``. Its split Bregman
iterations shrink a gradient ``t`` by the factor ``r / (1 + r)``, ``r = λ |t|``, so weak gradients are kept a little where
exact total variation would flatten them. Here the same iterations are solved exactly by cosine transforms, all images at
once, in half the time (2 ms for 128 px). Ten iterations are within 0.003 dB (RMS) of what hundreds give. More than 4 px from
the border the result is scikit-image's to 0.01 dB (RMS; speckle is 2 dB). At the border the image is mirrored here, while
scikit-image keeps a frame of speckle there.

References:
    Goldstein, Osher (2009), The Split Bregman Method for L1-Regularized Problems, doi 10.1137/080725891.
    Getreuer (2012), Rudin-Osher-Fatemi Total Variation Denoising using Split Bregman, doi 10.5201/ipol.2012.g-tvd.
    Package ``distmetrics`` 1.0.8 of the OPERA project, ``despeckle.py``: in dB, regularisation 5, so a weight of 1/5.
"""

import numpy as np
from scipy.fft import dctn, idctn

WEIGHT = 0.2  # of the squared distance to the image, per dB
ITERATIONS = 10
# A pixel's value depends on those within this distance; beyond it, by less than 0.0001 dB for a step of 5 dB.
REACH_PX = 24
_AXES = (-2, -1)


def despeckle(images_db: np.ndarray, iterations: int = ITERATIONS) -> np.ndarray:
    """Return images with less speckle.

    Args:
        images_db: Backscatter in dB, shape ``(..., H, W)``; no NaN.
        iterations: Number of iterations.

    Returns:
        The same shape, float32, in dB.
    """
    images = images_db.astype(np.float32)
    sharpness = np.float32(2 * WEIGHT)  # λ
    damping = np.float32(WEIGHT) + sharpness * _laplace_spectrum(images.shape)
    source = np.float32(WEIGHT) * dctn(images, axes=_AXES)
    smooth = images
    pull = (
        np.zeros_like(images),
        np.zeros_like(images),
    )  # twice the shrunken gradient, less the gradient
    rest = pull  # what shrinking has taken from the gradient
    for _ in range(iterations):
        spectrum = source + sharpness * dctn(_diverge(*pull), axes=_AXES)
        smooth = idctn(spectrum / damping, axes=_AXES)
        steps = [one + kept for one, kept in zip(_gradients(smooth), rest, strict=True)]
        ratio = sharpness * np.hypot(*steps)
        shrunken = [one * (ratio / (1 + ratio)) for one in steps]
        rest = (steps[0] - shrunken[0], steps[1] - shrunken[1])
        pull = (shrunken[0] - rest[0], shrunken[1] - rest[1])
    return smooth


def _laplace_spectrum(shape: tuple[int, ...]) -> np.ndarray:
    """Return the eigenvalues of the negative Laplacian of a mirrored image, shape ``(H, W)``, for each cosine."""
    down, along = (2 - 2 * np.cos(np.pi * np.arange(size) / size) for size in shape[-2:])
    spectrum: np.ndarray = (down[:, None] + along).astype(np.float32)
    return spectrum


def _gradients(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps to the next row and to the next column; 0 at the last one."""
    down, along = np.zeros_like(images), np.zeros_like(images)
    down[..., :-1, :] = np.diff(images, axis=-2)
    along[..., :-1] = np.diff(images, axis=-1)
    return down, along


def _diverge(down: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return the transpose of :func:`_gradients` applied to a field whose last row and column are 0."""
    total: np.ndarray = -down - along
    total[..., 1:, :] += down[..., :-1, :]
    total[..., 1:] += along[..., :-1]
    return total

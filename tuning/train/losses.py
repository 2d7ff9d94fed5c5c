"""The training loss: weighted binary cross-entropy plus soft Dice."""

from torch import Tensor
from torch.nn import functional as F

from tuning.metrics.histogram import to_probs

SMOOTH = 1.0  # pixels; keeps Dice defined on a batch without landslides


def soft_dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Return one minus the soft Dice coefficient of the whole batch.

    Args:
        logits: Shape ``(B, 1, H, W)``.
        mask: Shape ``(B, H, W)``, 0 or 1.

    Returns:
        Scalar in [0, 1].

    Reference:
        Milletari et al. (2016), V-Net, doi 10.1109/3DV.2016.79; pooled over the batch as in the
        published study, since most tiles have no landslide.
    """
    probs = to_probs(logits)
    target = mask.float()
    overlap = (probs * target).sum()
    return 1.0 - (2.0 * overlap + SMOOTH) / (probs.sum() + target.sum() + SMOOTH)


def bce_dice(logits: Tensor, mask: Tensor, bce_weight: float, pos_weight: float) -> Tensor:
    """Return the weighted sum of cross-entropy and soft Dice loss.

    Args:
        logits: Shape ``(B, 1, H, W)``.
        mask: Shape ``(B, H, W)``, 0 or 1.
        bce_weight: Weight of the cross-entropy in [0, 1]; Dice has one minus it.
        pos_weight: Weight of a landslide pixel in the cross-entropy.

    Returns:
        Scalar loss.
    """
    flat = logits.squeeze(1).float()
    weight = flat.new_full(
        (), pos_weight
    )  # filled on the device: a copy from the host would synchronise
    bce = F.binary_cross_entropy_with_logits(flat, mask.float(), pos_weight=weight)
    return bce_weight * bce + (1.0 - bce_weight) * soft_dice(logits, mask)

"""The training losses, by name: each maps logits and labels of a batch to one number that training lowers.

Every loss pools the pixels of the whole batch, since most tiles have no landslide, and is defined on a batch without one.
It computes in float32 whatever the precision of the logits, reads no value on the host, and has no shape that depends on a
value, so that a GPU's steps can be captured as CUDA graphs. `tuning.trial.losses` says which searched hyperparameters a
loss reads.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from tuning.metrics.histogram import to_probs
from tuning.trial.folder import Config
from tuning.trial.losses import BCE_DICE, check_loss, list_weights

SMOOTH = 1.0  # pixels; keeps Dice and Tversky defined on a batch without landslides
FOCUS = 2.0  # exponent of the focal loss; the best of 0 to 5 in its paper, table 1b
FALSE_ALARMS, MISSES = 0.3, 0.7  # weights of the Tversky loss; the best of its paper's five pairs
TVERSKY_FOCUS = 0.75  # exponent of the focal Tversky loss: 1 / (4/3), the paper's choice
LEAST = 1e-6  # keeps the slope of its root finite at a perfect prediction

Loss = Callable[..., Tensor]


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


def focal_dice(
    logits: Tensor, mask: Tensor, bce_weight: float, pos_weight: float, focus: float = FOCUS
) -> Tensor:
    """Return the weighted sum of focal loss and soft Dice loss.

    The focal loss is the cross-entropy whose pixels count by ``(1 - p) ** focus``, p the probability of the right class: pixels
    that are right already count little. It is the mean over all pixels; the paper divides by the number of
    objects instead, which a batch without landslides does not have. With a focus of 0 it is :func:`bce_dice`.

    Args:
        logits: Shape ``(B, 1, H, W)``.
        mask: Shape ``(B, H, W)``, 0 or 1.
        bce_weight: Weight of the focal loss in [0, 1]; Dice has one minus it.
        pos_weight: Weight of a landslide pixel relative to one of the background, the paper's alpha / (1 - alpha).
        focus: The paper's gamma, 0 or more.

    Returns:
        Scalar loss.

    Reference:
        Lin et al. (2017), Focal Loss for Dense Object Detection, arXiv:1708.02002.
    """
    flat, target = logits.squeeze(1).float(), mask.float()
    entropy = F.binary_cross_entropy_with_logits(flat, target, reduction="none")
    wrong = torch.sigmoid(flat * (1.0 - 2.0 * target))  # one minus the probability of the class
    focal = ((1.0 + (pos_weight - 1.0) * target) * wrong**focus * entropy).mean()
    return bce_weight * focal + (1.0 - bce_weight) * soft_dice(logits, mask)


def tversky(logits: Tensor, mask: Tensor) -> Tensor:
    """Return one minus the Tversky index of the whole batch: Dice, but misses cost more than false alarms.

    The index is S / (S + ``FALSE_ALARMS`` A + ``MISSES`` M): shared, falsely alarmed and missed pixels by probability, with
    ``SMOOTH`` added above and below.

    Args:
        logits: Shape ``(B, 1, H, W)``.
        mask: Shape ``(B, H, W)``, 0 or 1.

    Returns:
        Scalar in [0, 1].

    Reference:
        Salehi et al. (2017), Tversky loss function for image segmentation, arXiv:1706.05721.
    """
    probs, target = to_probs(logits), mask.float()
    shared = (probs * target).sum()
    alarms, missed = probs.sum() - shared, target.sum() - shared
    costs = FALSE_ALARMS * alarms + MISSES * missed
    # The costs, not one minus the index: a difference of nearly equal numbers would lose its digits.
    return costs / (shared + costs + SMOOTH)


def focal_tversky(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the Tversky loss to the power of ``TVERSKY_FOCUS``, which is steeper where the loss is small.

    Args:
        logits: Shape ``(B, 1, H, W)``.
        mask: Shape ``(B, H, W)``, 0 or 1.

    Returns:
        Scalar in [0, 1]; losses below ``LEAST`` count as it.

    Reference:
        Abraham and Khan (2019), A novel focal Tversky loss function, arXiv:1810.07842; pooled over the batch, with the
        weights of :func:`tversky`, which are the paper's too.
    """
    return tversky(logits, mask).clamp(min=LEAST) ** TVERSKY_FOCUS


def lovasz(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the binary Lovász hinge of the whole batch: a convex extension of one minus intersection over union.

    Each pixel has the error 1 - logit on a landslide and 1 + logit elsewhere, 0 if that is negative. Sorted by falling error,
    each is weighted by what the Jaccard loss of a batch rises if this pixel is wrong too. Without landslides the largest
    error alone counts.

    Args:
        logits: Shape ``(B, 1, H, W)``.
        mask: Shape ``(B, H, W)``, 0 or 1.

    Returns:
        Scalar, 0 or more.

    Reference:
        Berman et al. (2018), The Lovász-Softmax loss, arXiv:1705.08790, algorithm 1. Their default is the mean over
        images; here the batch is one image, as for Dice.
    """
    flat, target = logits.float().flatten(), mask.flatten()
    errors = 1.0 - flat * (2.0 * target.float() - 1.0)
    errors, order = errors.sort(descending=True, stable=True)
    wrong = target.long()[order]  # whole numbers: a float32 counts to 2^24 only
    shared = wrong.sum() - wrong.cumsum(0)
    union = wrong.sum() + (1 - wrong).cumsum(0)
    jaccard = 1.0 - shared.float() / union.float()
    rises = torch.cat([jaccard[:1], jaccard.diff()])
    return (errors.relu() * rises).sum()


LOSSES: dict[str, Loss] = {
    BCE_DICE: bce_dice,
    "focal_dice": focal_dice,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "lovasz": lovasz,
}


def make_loss(config: Config) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a config's loss, which maps logits ``(B, 1, H, W)`` and labels ``(B, H, W)`` to a scalar.

    Raises:
        ValueError: If its name is unknown.
    """
    loss = LOSSES[check_loss(config.get("loss", BCE_DICE))]
    weights = {name: config[name] for name in list_weights(config)}
    return lambda logits, mask: loss(logits, mask, **weights)

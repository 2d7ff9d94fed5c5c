"""Networks of packages that need a bridge, by the first word of their reference: ``smp:Unet/resnet34``."""

from importlib import import_module
from pathlib import Path

from models._architecture import Architecture
from models.outside.consent import check_consent, give_consent
from models.outside.locate import locate, make_name
from models.outside.references import load_located

SCHEMES = {"smp": "models.outside.smp", "olmoearth": "models.outside.olmoearth"}


def load_reference(
    text: str, name: str = "", digest: str = "", root: Path | None = None, *, sent: bool = False
) -> Architecture:
    """Load the network of any reference.

    Args:
        text: ``package.module:Class``, ``path/to/file.py:Class``, or ``smp:ARCHITECTURE/ENCODER``; a name and ``=`` may
            stand before it.
        name: Its key (default: the one before ``=``, else made from the reference).
        digest: The hash that its source files must have, or its package's version; nothing is run if they have another.
        root: Folder with copies of its source files, from which it is imported instead.
        sent: Whether this campaign's own process sent it. Else a reference with a digest stands in a config, whose author
            may be a stranger, and one without was named by the user.

    Raises:
        ValueError: If the reference leads to no network, its files have changed, or a config names files that the user of
            this machine never did.
    """
    made: Architecture
    given, _, target = text.rpartition("=")
    scheme = SCHEMES.get(target.partition(":")[0])
    if scheme is not None:
        made = import_module(scheme).load(target, name or given)
        _check_digest(made.name, target, digest, made.digest)
        return made
    found, name = locate(text, root), name or make_name(text)
    _check_digest(name, target, digest, found.digest)
    if digest and not sent:
        check_consent(found, name)
    made = load_located(found, name)
    if not digest:
        give_consent(found)
    return made


def _check_digest(name: str, reference: str, then: str, now: str) -> None:
    if then and then != now:
        raise ValueError(
            f"The network {name} must be the one that was trained, but the source files of {reference} have changed: hash "
            f"{then} then, {now} now. Put the former files back, or begin a new campaign."
        )

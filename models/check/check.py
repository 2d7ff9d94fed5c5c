"""A network tried against the contract, untrained: each law with pass or fail and the remedy."""

import inspect
import json
from dataclasses import replace
from typing import Any

from models._registry import create_model
from models.check.facts import list_facts
from models.check.laws import LAWS, Law
from models.check.subject import LawError, Subject, explain, find_multiple, is_dated, own_randomness

BUILD = "is built from in_channels, timesteps and its own arguments"
CALL = "takes x, and days if it reads dates"
SIZES = "takes tiles whose height and width are multiples of some power of 2 up to 128 px"


def check(name: str, channels: int, timesteps: int, arch: dict[str, Any]) -> bool:
    """Print each law with pass or fail, then facts; return whether the network keeps all.

    Args:
        name: Its name.
        channels: Channels of its input, C.
        timesteps: Acquisitions of its input, T.
        arch: Its arguments.
    """
    subject = Subject(lambda: create_model(name, channels, timesteps, **arch), channels, timesteps)
    with own_randomness():
        remedy = "Let its __init__ take in_channels, timesteps and what KNOWN_GOOD and SPACE name."
        if not _try(Law(BUILD, _build, remedy), subject):
            return False
        remedy = "Write forward(self, x), and forward(self, x, days) if reads_dates is true."
        if not _try(Law(CALL, _check_call, remedy), subject):
            return False
        remedy = "Let its poolings and upsamplings fit each other, or pad inside the network. If the reason is no size, correct that."
        if not _try(Law(SIZES, _describe_multiple, remedy), subject):
            return False
        subject = replace(subject, multiple=find_multiple(subject))
        dated = is_dated(subject)
        passed = [_try(law, subject) for law in LAWS if dated or not law.dated]
        if all(passed):
            for fact in list_facts(subject):
                print(f"fact  {fact}")
        return all(passed)


def _build(subject: Subject) -> None:
    subject.build()


def _check_call(subject: Subject) -> None:
    network, dated = subject.build(), is_dated(subject)
    forward = inspect.signature(network.forward)
    try:
        forward.bind(*("x", "days")[: 1 + dated])
    except TypeError as error:
        raise LawError(f"reads_dates is {dated}, but its forward takes {forward}") from error


def _describe_multiple(subject: Subject) -> str:
    return f"of {find_multiple(subject)} px"


def _try(law: Law, subject: Subject) -> bool:
    """Print whether a network keeps a law; return it."""
    try:
        fact = law.check(subject)
    except LawError as error:
        print(f"FAIL  {law.text}: {error}.\n      {law.remedy}", flush=True)
        return False
    except (Exception, SystemExit) as error:  # noqa: BLE001 - each network has errors of its own
        print(f"FAIL  {law.text}: {explain(error).rstrip('.')}.\n      {law.remedy}", flush=True)
        return False
    print(f"pass  {law.text}{f' ({fact})' if fact else ''}", flush=True)
    return True


def parse_arch(words: list[str]) -> dict[str, Any]:
    """Parse ``name=value``; a value is a number, true, false, or a text.

    Raises:
        ValueError: If a word has another form.
    """
    arch = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"An argument of a network must be NAME=VALUE, but got {word!r}.")
        try:
            arch[name] = json.loads(text)
        except ValueError:
            arch[name] = text
    return arch

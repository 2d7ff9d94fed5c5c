"""Whether the commands in a page exist: each is parsed by its own parser, and nothing is started."""

import argparse
import contextlib
import importlib.util
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from tests.support.pages import ROOT, Block

OURS = ("data", "models", "tuning")
CHOICES = re.compile(r"[\[\]|]|\.\.\.|…")  # of a form with choices
# Commands that hand their last arguments to `tuning.run`.
HANDED_ON = re.compile(
    r"(?:run --rm benchmark|landslide\.sbatch|submit\.py --)(?: (?P<words>.*))?$"
)
OWN_OF_SUBMIT = re.compile(r"--(nodes|code) (\$\(.*?\)|\S+)")
_INLINE = re.compile(r"`((?:\.venv/bin/)?(?:python -m|landslide) [^`]+)`")


class Parsed(BaseException):
    """Ends a command after its arguments were parsed."""


def list_calls(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield module and arguments of every command of this project in a command line."""
    if handed := HANDED_ON.search(text):
        words = OWN_OF_SUBMIT.sub("", handed["words"] or "")
        if not words.lstrip().startswith("--entrypoint"):
            yield "tuning.run", _split(words)
        return
    for part in re.split(r"&&|;|(?<!\S)--(?= python)", text):
        if named := re.match(r"\s*(?:\.venv/bin/)?landslide (.*)", part):
            yield "tuning.command_line", _split(named[1])
            continue
        found = re.search(r"(?:^|\s|/)python3? (?:-P )?-m ((?:data|models|tuning)[\w.]*)(.*)", part)
        if found and not found[1].endswith("."):  # `python -m data.…` stands for several
            yield found[1], _split(found[2])


def _split(words: str) -> list[str]:
    return [word for word in shlex.split(words) if not re.fullmatch(r"[<>&]|[12]?>.*", word)]


def list_scripts(text: str) -> Iterator[tuple[Path, list[str]]]:
    """Yield file and options of every script of this project in a command line."""
    for path, words in re.findall(
        r"(?:python3?|bash) ((?:benchmarks|docker|docs|platform|tests)/?[\w./]*)(.*)", text
    ):
        yield ROOT / path, re.findall(r"(?<!\S)--[a-z][a-z-]*", re.split(r" -- |\)", words)[0])


def parse_call(module: str, words: list[str]) -> str:
    """Parse a command's arguments with its own parser; return its error, or an empty text.

    Args:
        module: After ``python -m``.
        words: Its arguments. A form with choices has its options looked up instead.
    """
    if importlib.util.find_spec(module) is None:
        return f"there is no module {module}"
    if any(CHOICES.search(word) for word in words):
        return find_options(module, words)
    said = io.StringIO()
    original = argparse.ArgumentParser.parse_args

    def parse(self: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[call-overload]
        raise Parsed

    with (
        patch.object(argparse.ArgumentParser, "parse_args", parse),
        patch.object(sys, "argv", [module, *words]),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        try:
            runpy.run_module(module, run_name="__main__")
        except Parsed:
            return ""
        except SystemExit as end:
            return f"exit code {end.code}: {said.getvalue()[-300:]}"
    return "it parses nothing"


def find_options(module: str, words: list[str]) -> str:
    """Look up options in the text of ``--help``; return which it lacks, or an empty text."""
    said = _read_help(module)
    if words and (found := re.search(r"\{([a-z,]+)\}", said)) and words[0] in found[1].split(","):
        said += _read_help(module, words[0])
    known = set(re.findall(r"--[a-z][a-z0-9-]*", said))
    named = {option for word in words for option in re.findall(r"--[a-z][a-z0-9-]*", word)}
    unknown = sorted(named - known - {"--help"})
    return f"unknown options {', '.join(unknown)}" if unknown else ""


def _read_help(module: str, *words: str) -> str:
    said = io.StringIO()
    with (
        patch.object(sys, "argv", [module, *words, "--help"]),
        contextlib.redirect_stdout(said),
        contextlib.suppress(SystemExit),
    ):
        runpy.run_module(module, run_name="__main__")
    return said.getvalue()


def check_line(line: str) -> list[str]:
    """Return what is wrong with the commands of this project in a line."""
    wrong = []
    for module, words in list_calls(line):
        if problem := parse_call(module, words):
            wrong.append(f"{module} {shlex.join(words)}: {problem}")
    for script, options in list_scripts(line):
        files = [script / "__main__.py", *script.glob("*.py")] if script.is_dir() else [script]
        if not files[0].is_file():
            wrong.append(f"{script} is no script")
            continue
        text = "".join(file.read_text("utf-8") for file in files)
        wrong += [f"{script} has no {option}" for option in options if option not in text]
    return wrong


def check_block(block: Block) -> list[str]:
    """Return what is wrong with the commands of a block."""
    lines = [block.text.replace("\n", " ")] if block.value == "values" else block.commands
    lines = [re.sub(r" #.*?(?= --|$)", "", line) for line in lines]
    return [f"{block.name}: {problem}" for line in lines for problem in check_line(line)]


def check_sentences(text: str) -> list[str]:
    """Return what is wrong with the commands that a page names within sentences and tables, which may leave out arguments."""
    wrong = []
    for line in _INLINE.findall(text):
        for module, words in list_calls(line.replace("\\|", "|")):
            exists = importlib.util.find_spec(module) is not None
            if problem := find_options(module, words) if exists else "there is no such module":
                wrong.append(f"{line}: {problem}")
    return wrong

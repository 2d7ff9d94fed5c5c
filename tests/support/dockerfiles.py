"""A parsed Dockerfile: its stages, their instructions, and the files that it copies."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name, options and arguments."""

    name: str
    options: Mapping[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


@dataclass
class Stage:
    """A stage: its name, base image and instructions."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def find(self, name: str) -> list[Instruction]:
        return [one for one in self.instructions if one.name == name]


def read_stages(path: Path) -> list[Stage]:
    """Read a Dockerfile's stages, in their order.

    Raises:
        ValueError: If an instruction comes before the first FROM, and is none of a stage.
    """
    stages: list[Stage] = []
    for line in _join_lines(path.read_text()):
        name, _, text = line.partition(" ")
        options, text = _split_options(text.strip())
        if name == "FROM":
            base, *alias = text.split()
            stages.append(Stage(alias[-1] if alias else "", base))
        elif not stages:
            raise ValueError(f"A Dockerfile must begin with FROM, but {path} with {line!r}.")
        else:
            stages[-1].instructions.append(Instruction(name, options, text))
    return stages


def _join_lines(text: str) -> list[str]:
    """Return the instructions, each in one line, without comments."""
    kept = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    return [re.sub(r"\s+", " ", line) for line in "\n".join(kept).replace("\\\n", " ").splitlines()]


def _split_options(text: str) -> tuple[dict[str, str], str]:
    options = {}
    while match := re.match(r"--([a-z-]+)=(\S+)\s+", text):
        options[match[1]] = match[2]
        text = text[match.end() :]
    return options, text


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Replace $NAME by its value, as Docker does in ENV, LABEL and COPY; an unknown name by an empty text."""
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values.get(match[1], ""), text)


def list_copied(stage: Stage) -> list[str]:
    """List the files that a stage copies from the build context."""
    copies = [one for one in stage.find("COPY") if "from" not in one.options]
    return [word for one in copies for word in one.words[:-1]]

"""The blocks of code in the project's pages, and the mark above each: what runs it, or what it needs to run.

A mark is a comment in the line above a block. Pages show no comments, neither on GitHub nor in the site::

    <!-- run: seconds -->                      run in a folder with tiles, by every test run
    <!-- run: campaign, with DIR=map -->       run where a finished campaign is, with words replaced
    <!-- run: doctest -->                      a Python session
    <!-- run: save as my_net.py -->            a file for the commands of its page
    <!-- tested by: tests/deploy/x.py -->      the same commands are in another test
    <!-- example: foreign maps -->             a test finds it by these words and runs it
    <!-- needs: internet -->                   one of `NEEDS`; its options are checked, nothing is started
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = {"bash", "console", "pycon", "python", "sh", "shell"}
NEEDS = {
    "GPU": "an NVIDIA GPU",
    "cluster": "machines, AWS, Kubernetes or Slurm",
    "containers": "Docker",
    "internet": "a package index, a catalogue, a data set or a hub",
    "minutes": "more than 20 s of two cores",
    "hours": "more than an hour of two cores",
    "values": "values of your own: it shows options, not one command",
}
RUNS = ("seconds", "campaign", "doctest")
_MARK = re.compile(r"<!-- (run|needs|tested by|example|test command)(?:: (.+?))? -->")
_FENCE = re.compile(r"^( *)(```+)(\S*)\s*$")
_COMMANDS = "bash,docker,helm,kubectl,landslide,make,mlflow,mv,pip,pytest,python,python3,ray,sbatch"
_STARTS = re.compile(rf"(\.venv/bin/|\$ )?({_COMMANDS.replace(',', '|')}) ")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Path of its page in the repository.
        line: Number of the line of its fence.
        language: After the fence, or empty.
        text: Its lines.
        kind, value: Of its mark: ``run`` and ``seconds``; empty without one.
        words: What ``with`` of its mark replaces.
    """

    page: str
    line: int
    language: str
    text: str
    kind: str = ""
    value: str = ""
    words: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_code(self) -> bool:
        """Whether it is to be typed, also without a language."""
        return self.language in LANGUAGES or (
            not self.language and _STARTS.match(self.text) is not None
        )

    @cached_property
    def commands(self) -> list[str]:
        """Commands in their lines, without comments, continued lines joined."""
        joined = self.text.replace("\\\n", " ")
        lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
        return [line for line in lines if line]

    def replace(self, text: str) -> str:
        """Replace the words of the mark."""
        for old, new in self.words.items():
            text = text.replace(old, new)
        return text


def list_pages() -> list[Path]:
    """Return every page that shows commands."""
    folders = ("docs", "docker", "platform")
    found = [page for folder in folders for page in sorted((ROOT / folder).rglob("*.md"))]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *found, ROOT / "benchmarks" / "README.md"]


def read_blocks(page: str, text: str) -> Iterator[Block]:
    """Yield the blocks of a page.

    Raises:
        ValueError: If a block does not end, or a mark stands above no block.
    """
    lines, inside = text.splitlines(), None
    mark: dict[str, object] = {}
    for number, line in enumerate(lines, 1):
        if inside is None and (found := _MARK.fullmatch(line.strip())):
            mark = _parse_mark(found)
            if number == len(lines) or not _FENCE.match(lines[number]):
                raise ValueError(f"{page}:{number}: a mark must stand above a block of code.")
        elif fence := _FENCE.match(line):
            if inside is None:
                inside = (number, fence[3])
            elif not fence[3]:
                body = "\n".join(lines[inside[0] : number - 1])
                yield Block(page, inside[0], inside[1], body, **mark)  # type: ignore[arg-type]
                inside, mark = None, {}
    if inside is not None:
        raise ValueError(f"{page}:{inside[0]}: a block of code must end.")


def _parse_mark(found: re.Match[str]) -> dict[str, object]:
    value, _, words = (found[2] or "").partition(", with ")
    pairs = dict(pair.split("=", 1) for pair in words.split())
    return {"kind": found[1], "value": value, "words": pairs}


def check_mark(block: Block) -> str:
    """Return what is wrong with a block's mark; an empty text if nothing is."""
    if not block.kind:
        return f"{block.name}: a block of code must have a mark in the line above, such as <!-- run: seconds -->."
    if block.kind == "run" and block.value not in RUNS and not block.value.startswith("save as "):
        return f"{block.name}: 'run: {block.value}' is unknown. Known are {', '.join(RUNS)}, save as FILE."
    if block.kind == "needs" and block.value not in NEEDS:
        return f"{block.name}: 'needs: {block.value}' is unknown. Known are {', '.join(NEEDS)}."
    if block.kind == "tested by" and not (ROOT / block.value).is_file():
        return f"{block.name}: 'tested by: {block.value}' is no file of the repository."
    if block.kind == "example" and not any(
        f"<!-- example: {block.value} -->" in test for test in _read_tests()
    ):
        return f"{block.name}: 'example: {block.value}' is in no test."
    return ""


@cache
def _read_tests() -> tuple[str, ...]:
    return tuple(test.read_text("utf-8") for test in (ROOT / "tests").rglob("test_*.py"))


def all_blocks() -> list[Block]:
    """Return every block of every page."""
    return [
        block
        for page in list_pages()
        for block in read_blocks(page.relative_to(ROOT).as_posix(), page.read_text("utf-8"))
    ]

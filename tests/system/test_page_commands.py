"""Every block of code in every page is run by a test, or says what it needs; every command in it exists."""

from pathlib import Path

import pytest

from tests.support.page_commands import check_block, check_line, check_sentences
from tests.support.pages import ROOT, Block, all_blocks, check_mark, list_pages, read_blocks

BLOCKS = [block for block in all_blocks() if block.is_code]


def make_block(text: str, mark: str = "<!-- needs: hours -->", language: str = "bash") -> Block:
    (block,) = read_blocks("page.md", f"{mark}\n```{language}\n{text}\n```\n")
    return block


def test_every_block_has_a_mark_that_is_known() -> None:
    assert len(BLOCKS) > 60
    assert [problem for block in BLOCKS if (problem := check_mark(block))] == []


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS}))
def test_commands_in_blocks_have_the_options_that_they_name(page: str) -> None:
    shell = [block for block in BLOCKS if block.page == page and block.language[:2] != "py"]
    assert [problem for block in shell for problem in check_block(block)] == []


@pytest.mark.parametrize("page", list_pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_in_sentences_have_the_options_that_they_name(page: Path) -> None:
    assert check_sentences(page.read_text("utf-8")) == []


def test_a_sentence_may_leave_out_arguments_but_invent_no_option() -> None:
    assert check_sentences("`python -m data.check`, `python -m tuning.registry export --to`") == []
    (wrong,) = check_sentences("Use `python -m tuning.registry export --nosuch FILE`.")
    assert "unknown options --nosuch" in wrong
    assert "no such module" in check_sentences("`python -m tuning.nosuch`")[0]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("", "must have a mark in the line above"),
        ("<!-- run: sometimes -->", "'run: sometimes' is unknown"),
        ("<!-- needs: luck -->", "'needs: luck' is unknown"),
        (f"<!-- example: {'no'}such -->", "'example: nosuch' is in no test"),
        ("<!-- tested by: tests/nosuch.py -->", "is no file of the repository"),
    ],
)
def test_a_block_without_a_known_mark_is_refused(mark: str, said: str) -> None:
    assert said in check_mark(make_block("python -m tuning.run", mark))


def test_a_command_without_a_language_is_a_block_of_code() -> None:
    assert make_block("python -m tuning.run", "", "").is_code
    assert not make_block("12 tiles on 2 cores", "", "").is_code
    assert not make_block("python -m tuning.run", "", "text").is_code


def test_a_mark_above_no_block_and_a_block_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="a mark must stand above a block"):
        list(read_blocks("page.md", "<!-- needs: GPU -->\n\n```bash\nx\n```"))
    with pytest.raises(ValueError, match="a block of code must end"):
        list(read_blocks("page.md", "```bash\nx"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("python -m tuning.run --modle all", "unrecognized arguments: --modle all"),
        (".venv/bin/python -m tuning.nosuch --model all", "no module tuning.nosuch"),
        ("python -m tuning.registry rename unet", "invalid choice: 'rename'"),
        ("make x && python -m data.check tiles --quick", "unrecognized arguments: --quick"),
        ("python -m tuning.run --preset smoke | quick [--nosuch N]", "unknown options --nosuch"),
        ("docker compose run --rm benchmark --modle all", "unrecognized arguments: --modle"),
        ("sbatch --nodes=4 platform/slurm/landslide.sbatch --nosuch", "arguments: --nosuch"),
        ("ray submit a.yaml platform/ray/submit.py -- --nodes 2 --nosuch", "arguments: --nosuch"),
        ("ray job submit --working-dir . -- python -m tuning.run --nosuch", "arguments: --nosuch"),
        ("python benchmarks/map_scene.py --nosuch", "has no --nosuch"),
        ("bash docker/nosuch.sh", "is no script"),
    ],
)
def test_a_command_that_does_not_exist_is_named(line: str, said: str) -> None:
    assert said in " ".join(check_line(line))


def test_commands_that_exist_are_parsed_and_not_started() -> None:
    block = make_block(
        "python -m tuning.run --model all \\\n    --preset paper   # hours --nosuch\n"
        "python -m tuning.registry promote unet 3\n"
        "ray submit a.yaml platform/ray/submit.py -- --code $(python x.py --y) --nodes 3 --model all"
    )
    assert len(block.commands) == 3
    assert check_block(block) == []

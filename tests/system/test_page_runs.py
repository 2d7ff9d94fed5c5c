"""The blocks of the pages that are marked to be run end well, one after the other, as a reader would type them."""

from pathlib import Path

import pytest

from tests.faults.campaigns import Command
from tests.support.forked_commands import Server
from tests.support.page_runs import prepare_campaign, run_page
from tests.support.pages import all_blocks, read_blocks

pytestmark = [pytest.mark.slow, pytest.mark.file_s(120)]
BLOCKS = [block for block in all_blocks() if block.kind == "run"]
RUN = {
    level: sorted({b.page for b in BLOCKS if b.value == level}) for level in ("seconds", "campaign")
}


@pytest.mark.parametrize("page", RUN["seconds"])
def test_commands_that_need_no_campaign_end_well(
    page: str, commands: Server, twin: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiles").symlink_to(twin)
    blocks = [b for b in BLOCKS if b.page == page and b.value != "campaign"]
    assert run_page(blocks, tmp_path, commands, {}) == []


@pytest.mark.parametrize("page", RUN["campaign"])
def test_commands_beside_a_campaign_end_well(
    page: str, commands: Server, twin: Path, calm: Command, tmp_path: Path
) -> None:
    assert calm.run_once() == 0, calm.read_log()
    known = prepare_campaign(tmp_path, calm.root, twin)
    blocks = [b for b in BLOCKS if b.page == page and b.value != "seconds"]
    assert run_page(blocks, tmp_path, commands, known) == []


def test_a_command_that_fails_is_named_with_its_page(commands: Server, tmp_path: Path) -> None:
    text = "<!-- run: seconds, with TILES=nosuch -->\n```bash\npython -m data.check TILES\nfalse\n```\n"
    wrong = run_page(read_blocks("page.md", text), tmp_path, commands, {})
    assert len(wrong) == 2
    assert wrong[0].startswith("page.md:2: python -m data.check nosuch: exit code")
    assert wrong[1].startswith("page.md:2: false: exit code 1")

"""A pack simulated in memory holds what a pack of written files holds."""

from pathlib import Path

import numpy as np
import pytest

from data.pack import make_pack
from data.twin import make_twin
from data.twin.ground import read_ground
from tuning.worlds.simulate import simulate_pack

TILES = ["hokkaido_507", "hokkaido_94"]  # with and without landslides


def test_simulated_values_are_those_of_written_files(tmp_path: Path) -> None:
    written = make_pack(
        make_twin(tmp_path, seed=7, tile_ids=TILES, workers=1, progress=False), tmp_path / "packs"
    )
    pack, ground = simulate_pack(7, TILES)
    assert (pack.tile_ids, pack.crs, pack.seed) == (written.tile_ids, written.crs, written.seed)
    for name in ("mask", "dem", "slope", "times", "events", "own_events", "corners"):
        ours, theirs = getattr(pack, name), getattr(written, name)
        assert np.array_equal(ours, theirs, equal_nan=name != "mask"), name
        assert ours.dtype == theirs.dtype, name
    for orbit, bands in written.bands.items():
        assert np.array_equal(pack.bands[orbit], bands, equal_nan=True)
    assert np.array_equal(ground, read_ground(7, pack.tile_ids))


def test_unknown_tiles_and_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got 'hokkaido_0'\. Did you mean"):
        simulate_pack(7, ["hokkaido_0"])
    with pytest.raises(ValueError, match="from 0 to 4294967295, but got -1"):
        simulate_pack(-1, TILES)

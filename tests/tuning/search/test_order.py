"""The order in which trials begin."""

import pytest

from tuning.search.order import Chain, choose_next


def make_chain(
    epoch_s: float = 1.0, searches: int = 0, seeds: tuple[int, ...] = (), waiting: int = 0
) -> Chain:
    return Chain(epoch_s, searches, 4, seeds, waiting, 10)


def test_nothing_begins_while_all_repeats_wait_for_searches_that_run() -> None:
    assert choose_next([make_chain(waiting=3), make_chain(waiting=3)], 2) is None
    assert choose_next([], 2) is None


def test_searches_come_before_repeats_that_are_no_bottleneck() -> None:
    chains = [make_chain(seeds=(0, 1, 2)), make_chain(searches=4, waiting=3)]
    assert choose_next(chains, 2) == 1


def test_the_search_of_the_longest_chain_goes_first() -> None:
    assert choose_next([make_chain(searches=4, waiting=3), make_chain(2.0, 4, (), 3)], 2) == 1
    nearly = make_chain(2.0, 1, (), 0)  # most of its work is done, so others get their turn
    assert choose_next([make_chain(searches=4, waiting=3), nearly], 2) == 0


def test_a_repeat_that_decides_when_everything_ends_comes_before_searches() -> None:
    heavy, light = make_chain(9.0, seeds=(0,)), make_chain(searches=2, waiting=1)
    assert choose_next([light, heavy], 64) == 1


def test_repeats_go_seed_by_seed_and_the_longest_of_a_seed_first() -> None:
    chains = [
        make_chain(5.0, seeds=(1, 2)),
        make_chain(1.0, seeds=(0, 1)),
        make_chain(2.0, seeds=(0,)),
    ]
    assert choose_next(chains, 2) == 2
    assert choose_next([*chains[:2], make_chain()], 2) == 1
    assert choose_next([chains[0], make_chain(1.0, seeds=(1,))], 2) == 0


@pytest.mark.parametrize("slots", [1, 2, 64])
def test_every_trial_begins_once(slots: int) -> None:
    left = [
        [3, 2],
        [1, 2],
        [0, 2],
    ]  # searches and repeats of three architectures; searches end at once
    begun = [0, 0, 0]
    while True:
        chains = [
            make_chain(
                1.0 + n,
                searches,
                tuple(range(2 - repeats, 2)) if not searches else (),
                repeats if searches else 0,
            )
            for n, (searches, repeats) in enumerate(left)
        ]
        number = choose_next(chains, slots)
        if number is None:
            break
        left[number][0 if left[number][0] else 1] -= 1
        begun[number] += 1
    assert begun == [5, 3, 2]

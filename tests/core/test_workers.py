"""Workers: in order, a few at a time, and gone when whoever asked is."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, get_ident

import pytest

from hiresldm.core.workers import Workers


def test_results_come_in_order_and_few_items_are_taken_ahead() -> None:
    taken: list[int] = []
    first = Event()

    def items() -> Iterator[int]:
        for i in range(20):
            taken.append(i)
            yield i

    def twice(i: int) -> int:
        if i:
            first.set()  # another one is computed before the first is done
        else:
            assert first.wait(10)
        return 2 * i

    made = []
    for value in Workers(2).map(twice, items()):
        made.append(value)
        assert len(taken) - len(made) <= 2
    assert made == list(range(0, 40, 2))


def test_one_worker_is_whoever_calls() -> None:
    assert set(Workers(1).map(lambda _: get_ident(), range(3))) == {get_ident()}
    assert get_ident() not in set(Workers(2).map(lambda _: get_ident(), range(3)))


@pytest.mark.parametrize("count", [1, 2])
def test_a_failure_is_raised_where_it_is_due_and_the_workers_go_on(count: int) -> None:
    workers = Workers(count)
    made = workers.map(lambda i: 1 // (2 - i), range(5))
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert list(workers.map(str, range(3))) == ["0", "1", "2"]

"""The gate: whoever is alone is alone, and nobody is shut out for ever."""

import random
import threading

from pysurge._pytest.gate import Gate, Place

HANG_S = 30


def test_an_open_gate_costs_no_wait() -> None:
    gate = Gate()
    place = gate.place()
    assert gate.enter(place) == 0
    assert place.inside
    gate.leave(place)
    assert not place.inside


def test_alone_means_alone() -> None:
    gate, lock = Gate(), threading.Lock()
    inside = {"others": 0, "alone": 0}
    wrong: list[dict[str, int]] = []

    def step(kind: str, by: int) -> None:
        with lock:
            inside[kind] += by
            if inside["alone"] > 1 or (inside["alone"] and inside["others"]):
                wrong.append(dict(inside))

    def live(seed: int) -> None:
        chance, place = random.Random(seed), gate.place()
        for _ in range(300):
            if chance.random() < 0.3:
                gate.enter_alone(place)
                kind = "alone"
            else:
                gate.enter(place)
                kind = "others"
            step(kind, 1)
            if kind == "others" and chance.random() < 0.2:
                # In the middle of it, it turns out that it must be alone.
                step(kind, -1)
                gate.enter_alone(place)
                kind = "alone"
                step(kind, 1)
            step(kind, -1)
            gate.leave(place)

    threads = [threading.Thread(target=live, args=(seed,), daemon=True) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert not gate.closed


def test_the_others_are_not_shut_out() -> None:
    gate, done = Gate(), threading.Event()

    def always_alone() -> None:
        place = gate.place()
        while not done.is_set():
            gate.enter_alone(place)
            gate.leave(place)

    threads = [threading.Thread(target=always_alone, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    place = gate.place()
    waited = []
    reader = threading.Thread(target=lambda: waited.extend(pass_through(gate, place) for _ in range(50)), daemon=True)
    reader.start()
    reader.join(HANG_S)
    done.set()
    assert len(waited) == 50
    for thread in threads:
        thread.join(HANG_S)


def test_a_thread_that_died_holds_nobody_up() -> None:
    gate = Gate()
    lost = gate.place()
    gate.enter(lost)
    del lost
    place = gate.place()
    gate.enter_alone(place)
    assert place.inside
    gate.leave(place)


def test_being_alone_already() -> None:
    gate = Gate()
    place = gate.place()
    gate.enter_alone(place)
    assert gate.enter_alone(place) == 0
    gate.leave(place)
    assert not gate.closed


def pass_through(gate: Gate, place: Place) -> int:
    waited = gate.enter(place)
    gate.leave(place)
    return waited

"""Shapes are sampled before the start: how far, how finely, and what is said where they are wrong."""

import math

import pytest

from pysurge import _loader, _shapes

MODULE = """
def linear(t_s):
    return 2 * t_s

def short(t_s):
    return None if t_s >= 1.5 else 3

def nothing(t_s):
    return None

def text(t_s):
    return "fast"

def infinite(t_s):
    return float("inf")

def exits(t_s):
    raise SystemExit(3)

def two(t_s, more):
    return 1

class Curve:
    def __call__(self, t_s):
        return 7

curve = Curve()
"""


@pytest.fixture
def sample(tmp_path, monkeypatch):
    (tmp_path / "curves_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def sample(name, duration_s):
        return _shapes.sample(name, duration_s, [str(tmp_path)])

    return sample


@pytest.mark.parametrize("place", ["curves_of_mine.", "curves_of_mine.py:"])
def test_a_function_is_sampled_to_its_end(sample, place):
    samples = sample(f"{place}linear", 0.5)
    assert samples == (100_000_000, pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0]))


def test_what_is_called_need_be_no_function(sample):
    assert sample("curves_of_mine.curve", 0.2).rates == [7, 7, 7]


@pytest.mark.parametrize("name", ["curves_of_mine.linea", "curves_of_mine.py:linea"])
def test_a_typo_is_answered_with_what_was_meant(sample, name):
    assert sample(name, 1).hint == "did you mean `linear`?"


def test_a_long_profile_is_sampled_less_finely(sample):
    samples = sample("curves_of_mine.linear", 86_400)
    assert len(samples.rates) <= 36_001
    assert samples.step_ns % 100_000_000 == 0
    assert (len(samples.rates) - 1) * samples.step_ns >= 86_400 * 10**9


def test_the_last_sample_is_not_before_the_end(sample):
    samples = sample("curves_of_mine.linear", 0.55)
    assert len(samples.rates) == math.ceil(5.5) + 1


@pytest.mark.parametrize(("duration_s", "rates"), [(10, [3] * 16), (None, [3, 3, 3])])
def test_none_ends_it(sample, duration_s, rates):
    assert sample("curves_of_mine.short", duration_s).rates == rates


@pytest.mark.parametrize(
    ("name", "duration_s", "said"),
    [
        ("curves_of_mine.linear", None, "has no end"),
        ("curves_of_mine.nothing", 1, "returned None at the very start"),
        ("curves_of_mine.text", 1, "raised ValueError"),
        ("curves_of_mine.infinite", 1, "gave inf at t = 0 s"),
        ("curves_of_mine.exits", 1, "raised SystemExit"),
        ("curves_of_mine.two", 1, "cannot be called: missing a required argument: 'more'"),
        ("curves_of_mine.Curv", 1, "has no `Curv`"),
        ("curves_of_mine.py:lin", 1, "has no `lin`"),
        ("elsewhere.py:linear", 1, "there is no file `elsewhere.py`"),
        ("curves_of_mine.__doc__", 1, "is no function but NoneType"),
    ],
)
def test_what_is_wrong_is_told(sample, name, duration_s, said):
    problem = sample(name, duration_s)
    assert isinstance(problem, _loader.Problem)
    assert problem.fault == "shape"
    assert said in problem.message

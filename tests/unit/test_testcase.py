"""`TestCase` as Python code meets it: a class like any other."""

import abc
import copy
import gc
import pickle
import weakref
from typing import Any

import pytest

import pysurge


class Plain(pysurge.TestCase):
    def run(self) -> None:
        pass


class TestDefaults:
    def test_nothing_but_run_need_be_written(self) -> None:
        Plain.startup()
        case = Plain()
        case.setup()
        case.run()
        case.teardown()
        Plain.shutdown()

    def test_run_must_be_written(self) -> None:
        with pytest.raises(NotImplementedError, match=r"TestCase has no run\(\)"):
            pysurge.TestCase().run()

    def test_texts(self) -> None:
        case = Plain(legacy=True)
        assert str(case) == case.description == "<Plain kwargs={'legacy': True}>"
        assert case.summary == "Plain"
        assert case.max_duration == 60

    @pytest.mark.parametrize(
        ("doc", "summary"),
        [
            ("Uploads.", "Uploads."),
            ("\n    Uploads.\n\n    More.\n", "Uploads."),
            ("  \n", "Documented"),
            ("", "Documented"),
        ],
    )
    def test_the_summary_is_the_first_line_of_the_docstring(self, doc: str, summary: str) -> None:
        assert type("Documented", (Plain,), {"__doc__": doc})().summary == summary

    def test_a_docstring_is_not_inherited_as_a_summary_of_ours(self) -> None:
        assert pysurge.TestCase().summary == "TestCase"


class TestKwargsAndMetrics:
    def test_each_instance_has_its_own(self) -> None:
        one, two = Plain(a=1), Plain()
        one.metrics["x"] = 1
        two.kwargs["b"] = 2
        assert (one.kwargs, one.metrics, two.kwargs, two.metrics) == ({"a": 1}, {"x": 1}, {"b": 2}, {})

    def test_they_stay_the_same_object(self) -> None:
        case = Plain()
        assert case.metrics is case.metrics
        assert case.kwargs is case.kwargs

    def test_the_kwargs_given_are_not_shared(self) -> None:
        given = {"a": 1}
        Plain(**given).kwargs["a"] = 2
        assert given == {"a": 1}

    def test_they_can_be_replaced(self) -> None:
        case = Plain()
        case.kwargs, case.metrics = {"a": 1}, {"m": 1.5}
        assert (case.kwargs, case.metrics) == ({"a": 1}, {"m": 1.5})

    def test_init_takes_keywords_alone(self) -> None:
        with pytest.raises(TypeError):
            Plain(1)  # type: ignore[call-arg]

    def test_without_super_init_there_are_both(self) -> None:
        class Forgetful(Plain):
            def __init__(self, url: str) -> None:
                self.url = url

        case = Forgetful("u")
        case.metrics["x"] = 1
        assert (case.kwargs, case.metrics, case.url) == ({}, {"x": 1}, "u")

    def test_class_attributes_stand_in_for_properties(self) -> None:
        class Terse(Plain):
            summary = "short"
            description = "log"
            max_duration = 3
            metrics: dict[str, float] = {}  # noqa: RUF012 - this is what is tested

        case = Terse()
        assert (case.summary, case.description, case.max_duration) == ("short", "log", 3)
        assert case.metrics is Terse.metrics


class TestSubclassing:
    def test_with_another_base(self) -> None:
        class Client:
            def __init__(self, url: str) -> None:
                self.url = url

        class Both(Client, pysurge.TestCase):
            def __init__(self, **kwargs: Any) -> None:
                pysurge.TestCase.__init__(self, **kwargs)
                Client.__init__(self, **kwargs)

        case = Both(url="u")
        assert (case.url, case.kwargs) == ("u", {"url": "u"})

    def test_cooperatively(self) -> None:
        class Mixin:
            def __init__(self, **kwargs: Any) -> None:
                super().__init__(**kwargs)
                self.mixed = True

        class Cooperative(Mixin, Plain):
            pass

        case = Cooperative(a=1)
        assert case.mixed
        assert case.kwargs == {"a": 1}

    def test_with_slots(self) -> None:
        class Slim(pysurge.TestCase):
            __slots__ = ("client",)
            client: int

        case = Slim(a=1)
        case.client = 1
        with pytest.raises(AttributeError):
            case.other = 1  # type: ignore[attr-defined]
        assert case.kwargs == {"a": 1}

    def test_abstractly(self) -> None:
        class Base(pysurge.TestCase, abc.ABC):
            @abc.abstractmethod
            def run(self) -> None: ...

        with pytest.raises(TypeError, match="abstract"):
            Base()  # type: ignore[abstract]

    def test_pytest_does_not_collect_it(self) -> None:
        assert not Plain.__test__


class TestLifetime:
    @pytest.mark.parametrize("held", ["kwargs", "metrics", "attribute"])
    def test_cycles_are_collected(self, held: str) -> None:
        case = Plain(a=1)
        if held == "attribute":
            case.me = case  # type: ignore[attr-defined]
        else:
            getattr(case, held)["me"] = case
        watch = weakref.ref(case)
        del case
        gc.collect()
        assert watch() is None

    def test_no_cycle_needs_no_collector(self) -> None:
        gc.disable()
        try:
            case = Plain(a=1)
            case.metrics["x"] = 1
            watch = weakref.ref(case)
            del case
            assert watch() is None
        finally:
            gc.enable()

    def test_an_instance_is_not_made_to_travel(self) -> None:
        # It has state that no copy would hold: better none at all than half of one.
        with pytest.raises(TypeError):
            pickle.dumps(Plain(a=1))
        with pytest.raises(TypeError):
            copy.copy(Plain(a=1))

    def test_the_class_travels(self) -> None:
        assert pickle.loads(pickle.dumps(Plain)) is Plain
        assert pickle.loads(pickle.dumps(pysurge.TestCase)) is pysurge.TestCase


class TestStepsOutsideARun:
    """A test case is a class like any other: also where nobody runs it as a load test."""

    def test_a_check_says_whether_it_held(self) -> None:
        case = Plain()
        assert case.check("yes", [1]) is True
        assert case.check("no", "") is False
        assert case.check("no", 0, fail=True) is False

    def test_what_a_check_is_asked_may_raise(self) -> None:
        class Undecided:
            def __bool__(self) -> bool:
                raise RuntimeError("undecided")

        with pytest.raises(RuntimeError, match="undecided"):
            Plain().check("x", Undecided())

    def test_a_timer_lets_errors_through_and_can_be_used_again(self) -> None:
        timer = Plain().timer("step")
        with timer:
            pass
        with pytest.raises(KeyError), timer:
            raise KeyError("x")

    def test_a_count_is_a_number(self) -> None:
        case = Plain()
        case.count("calls")
        case.count("bytes", 10)
        case.count("seconds", 0.5)
        with pytest.raises(TypeError):
            case.count("bytes", "ten")  # type: ignore[arg-type]

    def test_names_of_a_users_class_go_before_ours(self) -> None:
        class Old(Plain):
            count = 3

            def check(self) -> str:  # type: ignore[override]
                return "mine"

        old = Old()
        assert (old.count, old.check()) == (3, "mine")

    def test_an_instance_with_steps_is_collected(self) -> None:
        case = Plain()
        case.timer("kept")
        with case.timer("step"):
            case.check("x", True)
        ref = weakref.ref(case)
        del case
        gc.collect()
        assert ref() is None

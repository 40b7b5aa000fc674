"""A result in a notebook: a small table in the notebook's own colours, light or dark. What user code named is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._result import Result, TestResult

_HEADS = ("test", "asked /s", "achieved /s", "passed", "failed", "not run", "p50", "p95", "p99", "max")

# Kinds of failure that are shown; the report has all.
_MOST_FAILURES = 5

# In seconds, above which the next larger unit is easier to read.
_UNITS = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "us"))


def result_html(result: Result) -> str:
    """The verdict, a row per test, what failed."""
    parts = [
        f"<p><b>{escape(result.name)}</b>: {'ok' if result.ok else 'failed'} (exit code {result.exit_code}), "
        f"generator {escape(str(result.verdict))}</p>"
    ]
    head = "".join(
        f'<th style="text-align:{"left" if place == 0 else "right"}">{name}</th>' for place, name in enumerate(_HEADS)
    )
    rows = "".join(_row(test) for test in result.tests)
    parts.append(
        f'<table style="font-variant-numeric:tabular-nums"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )
    thresholds = [
        f"<li>{'failed' if each.failed else each.state}: <code>{escape(each.expression)}</code> "
        f"({escape(each.actual_text)})</li>"
        for each in result.thresholds
    ]
    failures = [
        f"<li>{each.count:,} x {escape(each.exception)} in {escape(each.phase)}: {escape(each.message[:200])} "
        f'<span style="opacity:0.7">{escape(each.frame)}</span></li>'
        for each in result.failures[:_MOST_FAILURES]
    ]
    parts += [
        f"<p>{title}</p><ul>{''.join(items)}</ul>"
        for title, items in (("Thresholds", thresholds), ("Failures", failures))
        if items
    ]
    return f"<div>{''.join(parts)}</div>"


def _row(test: TestResult) -> str:
    account, times = test.account, test.response_time
    cells = [
        "-" if test.asked_rate is None else f"{test.asked_rate:.4g}",
        f"{test.achieved_rate:.4g}",
        f"{account.passed:,}",
        f"{account.failed:,}",
        f"{account.dropped + account.interrupted + account.lost:,}",
        *(_time(each) for each in (times.p50, times.p95, times.p99, times.max)),
    ]
    name = f'<td style="text-align:left" title="{escape(test.label, quote=True)}">{escape(test.name)}</td>'
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    factor, unit = next((factor, unit) for least, factor, unit in _UNITS if seconds >= least)
    return f"{seconds * factor:.3g} {unit}"

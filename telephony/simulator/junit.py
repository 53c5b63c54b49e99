"""Calls as a JUnit report, which CI systems show. PURE."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from telephony.config.masking import one_line
from telephony.simulator.call_report import CallResult, summary

_DECLARATION = b"<?xml version='1.0' encoding='utf-8'?>\n"


def junit(results: Sequence[CallResult]) -> bytes:
    """One test case for each call; what was broken is its failure, its summary its output."""
    suite = ElementTree.Element(
        "testsuite",
        name="telephony call",
        tests=str(len(results)),
        failures=str(sum(not result.good for result in results)),
        errors="0",
        time=f"{sum(result.duration_s for result in results):.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname="telephony.call.call",
            name=one_line(result.source),
            time=f"{result.duration_s:.3f}",
        )
        wrong = complaints(result)
        if wrong:
            failure = ElementTree.SubElement(case, "failure", message=one_line(wrong[0]))
            failure.text = "\n".join(map(one_line, wrong))
        ElementTree.SubElement(case, "system-out").text = "\n".join(map(one_line, summary(result)))
    return b"".join((_DECLARATION, ElementTree.tostring(suite, encoding="utf-8")))


def complaints(result: CallResult) -> list[str]:
    """All that was not as it should be, in words; empty for a good call."""
    wrong = list(result.broken)
    wrong += [f"Twilio would flag {flag.code} at {flag.at_s:.2f} s: {flag.reason}" for flag in result.flags]
    if not result.good and not wrong:
        wrong.append(f"ended by {result.ended_by}" + (f": {result.why}" if result.why else ""))
    return wrong

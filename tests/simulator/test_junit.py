"""The JUnit report that CI systems read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from telephony.simulator.call_report import CallResult
from telephony.simulator.junit import junit
from telephony.simulator.phone import Flag


def test_each_call_is_a_case_and_what_broke_is_its_failure() -> None:
    good = CallResult("CA1", "good.yaml", "agent", duration_s=3.0)
    bad = CallResult(
        "CA2", 'b"<&\x1b.yaml', "caller", flags=[Flag(31951, "not JSON", 1.5)], broken=["a", "b"]
    )
    refused = CallResult("CA3", "r.wav", "refused", why="busy")
    suite = ElementTree.fromstring(junit([good, bad, refused]))
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("3", "2", "3.000")
    cases = suite.findall("testcase")
    failures = [case.find("failure") for case in cases]
    assert failures[0] is None
    assert failures[1] is not None and failures[2] is not None
    assert (failures[1].text or "").splitlines() == ["a", "b", "Twilio would flag 31951 at 1.50 s: not JSON"]
    assert failures[2].text == "ended by refused: busy"
    assert "ended by the agent" in (cases[0].findtext("system-out") or "")

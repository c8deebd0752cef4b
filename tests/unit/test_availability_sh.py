"""availability.sh, which keeps the offer of a storage node, for real, against a small web server on this machine."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_agents import SHELLS, Pod, Web


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.over.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(request.param, tmp_path)


WANTED = {"totalSize": "1000", "duration": "3600", "minPricePerBytePerSecond": "5", "totalCollateral": "70", "enabled": True}
SALES = "/api/codex/v1/sales/availability"


def offer(offer_id: str, **fields: object) -> dict[str, object]:
    """What a node answers for WANTED: sizes and times as numbers."""
    return {"id": offer_id, "freeSize": 1000, "until": 0, **WANTED, "totalSize": 1000, "duration": 3600, **fields}


def look_once(pod: Pod, web: Web, wanted: object = None) -> subprocess.CompletedProcess[str]:
    return pod.run("availability.sh", API_URL=f"{web.url}/api/codex/v1", AVAILABILITY=json.dumps(wanted or WANTED), ONCE=1)


def test_storage_is_offered_where_nothing_is_offered(pod: Pod, web: Web) -> None:
    web.answers = {f"GET {SALES}": [(200, "[]")], f"POST {SALES}": [(201, "{}")]}
    done = look_once(pod, web)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nodestead: availability offered\n", "")
    assert web.changes() == [("POST", SALES, json.dumps(WANTED))]


def test_an_offer_as_wanted_is_left_alone(pod: Pod, web: Web) -> None:
    web.answers[f"GET {SALES}"] = [(200, json.dumps([offer("0x1")]))]
    done = look_once(pod, web)
    assert (done.returncode, done.stdout) == (0, "nodestead: availability as wanted\n")
    assert web.changes() == []


def test_only_what_differs_is_changed(pod: Pod, web: Web) -> None:
    web.answers = {
        f"GET {SALES}": [(200, json.dumps([offer("0x1", duration=60, enabled=False)]))],
        f"PATCH {SALES}/0x1": [(204, "")],
    }
    done = look_once(pod, web)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == 'nodestead: availability changed: {"duration":"3600","enabled":true}\n'
    assert web.changes() == [("PATCH", f"{SALES}/0x1", '{"duration":"3600","enabled":true}')]


def test_of_several_offers_the_one_as_wanted_is_kept(pod: Pod, web: Web) -> None:
    web.answers[f"GET {SALES}"] = [(200, json.dumps([offer("0x1", duration=60), offer("0x2")]))]
    assert (
        look_once(pod, web).stdout
        == "nodestead: availability as wanted; the node has 2, this is 0x2, the others are left alone\n"
    )
    assert web.changes() == []


def test_of_several_offers_the_first_is_changed_where_none_is_as_wanted(pod: Pod, web: Web) -> None:
    offers = [offer("0x1", duration=60), offer("0x2", duration=61)]
    web.answers = {f"GET {SALES}": [(200, json.dumps(offers))], f"PATCH {SALES}/0x1": [(200, "{}")]}
    done = look_once(pod, web)
    assert done.stdout.endswith("; the node has 2, this is 0x1, the others are left alone\n")
    assert web.changes() == [("PATCH", f"{SALES}/0x1", '{"duration":"3600"}')]


@pytest.mark.parametrize("current", [(404, "not found"), (200, '{"maximumDuration": 60}')])
def test_terms_of_a_node_that_has_only_one_set_are_replaced(pod: Pod, web: Web, current: tuple[int, str]) -> None:
    wanted = {"maximumDuration": 3600, "minimumPricePerBytePerSecond": "5"}
    web.answers = {f"GET {SALES}": [current], f"POST {SALES}": [(201, "")]}
    assert look_once(pod, web, wanted).returncode == 0
    assert web.changes() == [("POST", SALES, json.dumps(wanted))]


def test_terms_as_wanted_are_left_alone(pod: Pod, web: Web) -> None:
    web.answers[f"GET {SALES}"] = [(200, '{"maximumDuration": 3600, "minimumPricePerBytePerSecond": "5", "availableUntil": 0}')]
    assert look_once(pod, web, {"maximumDuration": "3600", "minimumPricePerBytePerSecond": 5}).returncode == 0
    assert web.changes() == []


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            {f"GET {SALES}": [(503, "Persistence is not enabled")]},
            "the node takes no part in the marketplace (503 Persistence is not enabled)",
        ),
        ({f"GET {SALES}": [(500, "")]}, "the node does not tell its availability (500 )"),
        ({f"GET {SALES}": [(200, "<html>")]}, "the node's list of availabilities is not understood: <html>"),
        (
            {f"GET {SALES}": [(200, "[]")], f"POST {SALES}": [(422, "Not enough storage quota")]},
            "the node refuses the availability (422 Not enough storage quota)",
        ),
    ],
)
def test_what_the_node_refuses_is_said(pod: Pod, web: Web, answers: dict[str, list[tuple[int, str]]], message: str) -> None:
    web.answers = answers
    done = look_once(pod, web)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"nodestead: {message}")


def test_a_node_that_does_not_answer_is_waited_for(pod: Pod) -> None:
    said = pod.refusal("availability.sh", API_URL="http://127.0.0.1:9/api/codex/v1", AVAILABILITY="{}", ONCE=1)
    assert said == "waiting for the node's API at http://127.0.0.1:9/api/codex/v1"


@pytest.mark.parametrize("wanted", ["", "[]", "{} {}", "{"])
def test_availability_that_is_no_object_is_refused(pod: Pod, wanted: str) -> None:
    assert pod.refusal("availability.sh", AVAILABILITY=wanted).startswith("AVAILABILITY is not one JSON object")


def test_an_offer_is_healed_again_and_again_and_a_trouble_said_once(pod: Pod, web: Web) -> None:
    web.answers = {f"GET {SALES}": [(503, "no"), (503, "no"), (200, "[]")], f"POST {SALES}": [(201, "{}")]}
    process = pod.start("availability.sh", API_URL=f"{web.url}/api/codex/v1", AVAILABILITY=json.dumps(WANTED), INTERVAL=1)
    assert process.stdout is not None
    said = [process.stdout.readline(), process.stdout.readline()]
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert [*said, output] == [
        "nodestead: the node takes no part in the marketplace (503 no); it has to run with persistence\n",
        "nodestead: availability offered\n",
        "",
    ]


def test_a_signal_ends_a_request_that_hangs(pod: Pod, web: Web) -> None:
    web.silent.set()
    process = pod.start("availability.sh", API_URL=f"{web.url}/api/codex/v1", AVAILABILITY="{}")
    while not web.asked:
        time.sleep(0.05)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert time.monotonic() - started < 2

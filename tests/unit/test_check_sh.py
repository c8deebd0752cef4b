"""check.sh, which asks storage nodes how they are, for real, against a small web server on this machine."""

import json
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


def test_each_node_gets_a_line_with_what_it_says_of_itself(pod: Pod, web: Web) -> None:
    codex = {"id": "16Uiu2A", "addrs": ["/ip4/10.0.0.1/tcp/8070"], "codex": {"version": "v0.2.4\nv0.2.5", "revision": "1"}}
    storage = {"id": "16Uiu2B", "addrs": ["/ip4/10.0.0.2/tcp/8070"], "table": {}, "storage": {"version": "v0.5.3"}}
    web.answers = {
        "/codex": [(200, json.dumps(codex | {"announceAddresses": ["/ip4/203.0.113.1/tcp/30510"]}))],
        "/storage": [(200, json.dumps(storage))],
    }
    done = pod.run("check.sh", NODES=f"codex-1 {web.url}/codex\n\n  codex-2 {web.url}/storage\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        'codex-1\tok\t{"id":"16Uiu2A","version":"v0.2.5","addrs":["/ip4/203.0.113.1/tcp/30510"]}\n'
        'codex-2\tok\t{"id":"16Uiu2B","version":"v0.5.3","addrs":["/ip4/10.0.0.2/tcp/8070"]}\n'
    )


def test_a_node_that_fails_is_named_with_the_reason_and_fails_the_check(pod: Pod, web: Web) -> None:
    web.answers = {"/good": [(200, '{"id": "16Uiu2A"}')], "/starting": [(503, "")], "/else": [(200, "[]")]}
    nodes = [f"good {web.url}/good", f"starting {web.url}/starting", "gone http://127.0.0.1:9/", f"else {web.url}/else"]
    done = pod.run("check.sh", NODES="\n".join(nodes))
    assert done.returncode == 1
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["good", "ok"], ["starting", "fail"], ["gone", "fail"], ["else", "fail"]]
    assert lines[0][2] == '{"id":"16Uiu2A","version":"","addrs":[]}'
    assert [lines[1][2], lines[3][2]] == ["HTTP 503", "the answer is not that of a storage node"]
    assert lines[2][2].startswith("curl: (7) Failed to connect")


def test_nodes_are_asked_at_once(pod: Pod, web: Web) -> None:
    web.silent.set()
    started = time.monotonic()
    done = pod.run("check.sh", TIMEOUT=1, NODES="\n".join(f"codex-{number} {web.url}/info" for number in range(20)))
    assert [line.split("\t")[:2] for line in done.stdout.splitlines()] == [[f"codex-{number}", "fail"] for number in range(20)]
    assert time.monotonic() - started < 10


def test_an_answer_that_takes_too_long_is_a_failure(pod: Pod, web: Web) -> None:
    web.silent.set()
    done = pod.run("check.sh", NODES=f"slow {web.url}/info", TIMEOUT=1)
    assert done.returncode == 1
    assert done.stdout.startswith("slow\tfail\tcurl: (28)")


def test_a_check_of_no_nodes_is_a_mistake(pod: Pod) -> None:
    assert pod.refusal("check.sh", NODES="").startswith("NODES is empty")

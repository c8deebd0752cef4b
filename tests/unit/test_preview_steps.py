"""The steps of the actions, run as the runner runs them: with its files, and a repository and an API that are made up."""

import http.server
import io
import json
import os
import re
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

STEPS = Path(__file__).resolve().parents[2] / "preview" / "steps"
MARKER = "<!-- nodestead:report -->"
HEAD = "a" * 40
TOKEN = "ghs_verysecretindeed"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a step in a folder, with nothing from outside but PATH."""
    runner = tmp_path / "runner"
    runner.mkdir()

    def run_step(step: str, folder: Path | None = None, event: dict[str, Any] | None = None, **variables: str):
        (runner / "event.json").write_text(json.dumps(event or {}), encoding="utf-8")
        (runner / "output").write_text("", encoding="utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "RUNNER_TEMP": str(runner),
            "GITHUB_EVENT_PATH": str(runner / "event.json"),
            "GITHUB_OUTPUT": str(runner / "output"),
            "GITHUB_REPOSITORY": "owner/repo",
            "GIT_CONFIG_NOSYSTEM": "1",
            **variables,
        }
        command = [sys.executable, "-BEs", str(STEPS / f"{step}.py")]
        return subprocess.run(command, cwd=folder or tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run_step


@pytest.fixture
def outputs(tmp_path: Path) -> Callable[[], dict[str, str]]:
    def read() -> dict[str, str]:
        lines = (tmp_path / "runner" / "output").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    return read


# ---- the artifact of a stranger


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return made.getvalue()


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system, made.external_attr = 3, mode << 16
    return made


def with_flag(archive: bytes, flag: int) -> bytes:
    """Sets a flag of the first entry, where it is and in the directory at the end."""
    changed = bytearray(archive)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[archive.index(mark) + place] |= flag
    return bytes(changed)


def lying(archive: bytes, size: int) -> bytes:
    """Says another size than there is, in the directory that is read."""
    changed = bytearray(archive)
    place = archive.index(b"PK\x01\x02") + 24
    changed[place : place + 4] = size.to_bytes(4, "little")
    return bytes(changed)


REPORT = b'{"format": "nodestead-report"}'
BOMB = b"{" + b" " * 200_000_000


@pytest.fixture
def report_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], bytes]:
    monkeypatch.syspath_prepend(STEPS)
    import artifact

    return artifact.report_of


@pytest.mark.parametrize(
    "archive",
    [
        zipped(("report.json", REPORT)),
        zipped(("report.json", REPORT), ("report.html", b"<html>")),
        zipped((entry("report.json", stat.S_IFREG | 0o644), REPORT)),
        # Only a name that is just so is the report, and nothing else is unpacked.
        zipped(("report.json", REPORT), ("../report.json", b"{}"), ("/report.json", b"{}"), ("a/report.json", b"{}")),
    ],
)
def test_the_report_is_taken_by_its_very_name(report_of: Callable[[bytes], bytes], archive: bytes) -> None:
    assert report_of(archive) == REPORT


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (lambda: b"", "no sound zip"),
        (lambda: b"PK\x03\x04 and no more", "no sound zip"),
        (lambda: zipped(("report.json", REPORT))[:-30], "no sound zip"),
        (lambda: zipped(("report.json", REPORT)).replace(b"PK\x03\x04", b"PK\x03\x05"), "no sound zip"),
        (lambda: zipped(("../report.json", REPORT)), "0 files report.json"),
        (lambda: zipped(("a/report.json", REPORT)), "0 files report.json"),
        (lambda: zipped(("report.json/", b"")), "0 files report.json"),
        (lambda: zipped(("report.json", REPORT), ("report.json", b"{}")), "2 files report.json"),
        (lambda: zipped((entry("report.json", stat.S_IFLNK | 0o777), b"/etc/passwd")), "no plain file"),
        (lambda: zipped((entry("report.json", stat.S_IFDIR | 0o777), b"")), "no plain file"),
        (lambda: zipped((entry("report.json", stat.S_IFIFO | 0o777), b"")), "no plain file"),
        (lambda: with_flag(zipped(("report.json", REPORT)), 0x1), "no plain file"),
        (lambda: zipped(*((f"{number}", b"") for number in range(60)), ("report.json", REPORT)), "61 files"),
        (lambda: zipped(("report.json", BOMB)), "more than the 20,000,000 bytes"),
        (lambda: lying(zipped(("report.json", BOMB)), 10), "no sound zip"),
        (lambda: zipped(("report.json", b"\x7fELF")), "no JSON object"),
        (lambda: zipped(("report.json", b"")), "no JSON object"),
    ],
)
def test_an_artifact_that_is_not_as_ours_is_refused(
    report_of: Callable[[bytes], bytes], archive: Callable[[], bytes], why: str
) -> None:
    from runner import StepError

    with pytest.raises(StepError, match=why):
        report_of(archive())


# ---- GitHub


class GitHub:
    """An API that answers from a table, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Any, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                url = urlsplit(self.path)
                outer.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
                answer = outer.answers.get(f"{self.command} {url.path}", (404, {"message": "Not Found"}))
                if callable(answer):
                    answer = answer(parse_qs(url.query), body)
                code, content = answer if isinstance(answer, tuple) else (200, answer)
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", content)
                    content = b""
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = answer  # noqa: N815 # as http.server calls them

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def written(self) -> list[tuple[str, str, Any]]:
        return [(method, urlsplit(path).path, body) for method, path, body, _ in self.asked if method != "GET"]


@pytest.fixture
def github() -> Iterator[GitHub]:
    made = GitHub()
    yield made
    made.server.shutdown()
    made.server.server_close()


def pull(number: int = 7, **changed: Any) -> dict[str, Any]:
    head = {"sha": HEAD, "ref": "feature", "repo": {"full_name": "stranger/repo"}} | changed.pop("head", {})
    return {"number": number, "state": "open", "head": head, "base": {"repo": {"full_name": "owner/repo"}}} | changed


def ended(**changed: Any) -> dict[str, Any]:
    source = {"full_name": "stranger/repo", "owner": {"login": "stranger"}}
    run = {"id": 99, "event": "pull_request", "head_sha": HEAD, "head_branch": "feature", "head_repository": source}
    return {"workflow_run": run | changed}


def listed(*artifacts: dict[str, Any]) -> dict[str, Any]:
    one = {"id": 5, "name": "nodestead-report", "expired": False, "size_in_bytes": 1_000}
    return {"artifacts": [one | changed for changed in artifacts]}


def serve(github: GitHub, *pulls: dict[str, Any], archive: bytes = b"", artifacts: dict[str, Any] | None = None) -> None:
    github.answers["GET /repos/owner/repo/pulls"] = list(pulls)
    github.answers["GET /repos/owner/repo/actions/runs/99/artifacts"] = artifacts or listed({})
    github.answers["GET /repos/owner/repo/actions/artifacts/5/zip"] = (302, f"{github.url}/blob?signature=1")
    github.answers["GET /blob"] = archive or zipped(("report.json", REPORT), ("report.html", b"<script>"))


def take(run: Run, github: GitHub, event: dict[str, Any] | None = None):
    return run("artifact", event=event or ended(), GITHUB_API_URL=github.url, GITHUB_TOKEN=TOKEN)


def test_the_report_of_a_fork_and_its_pull_request_are_found(run: Run, github: GitHub, outputs: Any, tmp_path: Path) -> None:
    serve(github, pull())
    done = take(run, github)
    assert done.returncode == 0, done.stdout + done.stderr
    found = outputs()
    assert (found["number"], found["head"], found["link"]) == ("7", HEAD, "https://github.com/owner/repo/actions/runs/99")
    assert Path(found["report"]).read_bytes() == REPORT
    assert [file.name for file in (tmp_path / "runner").glob("*/*")] == ["report.json"]
    assert "state=open&head=stranger%3Afeature" in github.asked[0][1]


def test_the_token_stays_with_the_api_and_out_of_the_log(run: Run, github: GitHub) -> None:
    serve(github, pull())
    done = take(run, github)
    assert {path: token for _, path, _, token in github.asked if path.startswith("/blob")} == {"/blob?signature=1": None}
    assert all(token == f"Bearer {TOKEN}" for _, path, _, token in github.asked if path.startswith("/repos"))
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "pulls",
    [
        [],
        [pull(state="closed")],
        [pull(head={"sha": "b" * 40})],
        [pull(head={"ref": "other"})],
        [pull(head={"repo": {"full_name": "stranger/other"}})],
        [pull(head={"repo": None})],
        [pull(base={"repo": {"full_name": "stranger/repo"}})],
        [pull(7), pull(8)],
    ],
)
def test_no_other_pull_request_is_commented(run: Run, github: GitHub, outputs: Any, pulls: list[dict[str, Any]]) -> None:
    serve(github, *pulls)
    assert take(run, github).returncode == 0
    assert outputs() == {"number": ""}
    assert not [path for _, path, _, _ in github.asked if "artifacts" in path]


def test_a_number_in_the_artifact_counts_for_nothing(run: Run, github: GitHub, outputs: Any) -> None:
    serve(github, pull(7), archive=zipped(("report.json", b'{"number": 1}'), ("number", b"1"), ("pr.txt", b"1")))
    take(run, github)
    assert outputs()["number"] == "7"


@pytest.mark.parametrize("event", [ended(event="push"), ended(event="pull_request_target"), ended(head_repository=None)])
def test_runs_without_a_pull_request_are_passed_over(run: Run, github: GitHub, outputs: Any, event: dict[str, Any]) -> None:
    serve(github, pull())
    assert take(run, github, event).returncode == 0
    assert outputs() == {"number": ""}


def test_of_several_attempts_the_last_artifact_is_taken(run: Run, github: GitHub, outputs: Any) -> None:
    artifacts = listed({"id": 4}, {"id": 5}, {"id": 6, "expired": True}, {"id": 7, "name": "other"})
    serve(github, pull(), artifacts=artifacts)
    take(run, github)
    assert outputs()["number"] == "7"


def test_a_run_without_a_report_is_passed_over(run: Run, github: GitHub, outputs: Any) -> None:
    serve(github, pull(), artifacts={"artifacts": []})
    assert take(run, github).returncode == 0
    assert outputs() == {"number": ""}


def test_a_large_artifact_is_not_even_asked_for(run: Run, github: GitHub) -> None:
    serve(github, pull(), artifacts=listed({"size_in_bytes": 11 << 20}))
    done = take(run, github)
    assert done.returncode == 1
    assert "::error title=nodestead::the artifact has" in done.stdout
    assert not [path for _, path, _, _ in github.asked if "zip" in path]


def test_an_artifact_larger_than_it_says_is_cut_off(run: Run, github: GitHub) -> None:
    serve(github, pull(), archive=b"x" * (11 << 20))
    done = take(run, github)
    assert done.returncode == 1
    assert "more than the 10,485,760 bytes" in done.stdout


# ---- the comment

ABOUT = f"<sub>Made by the code of commit {HEAD} itself; [the run](https://l/1) keeps this report as a page.</sub>"
BODY = f"{MARKER}\n<!-- nodestead-report -->\n# Two pods restart\n\n{ABOUT}\n"
NOTES = "/repos/owner/repo/issues/7/comments"


def comment(number: int, body: str | None, author: str | None = "github-actions[bot]") -> dict[str, Any]:
    user = None if author is None else {"login": author}
    return {"id": number, "body": body, "user": user, "html_url": f"https://github.com/c/{number}"}


@pytest.fixture
def post(run: Run, github: GitHub, tmp_path: Path) -> Run:
    github.answers[f"POST {NOTES}"] = (201, comment(50, ""))
    github.answers["PATCH /repos/owner/repo/issues/comments/3"] = comment(3, "")
    github.answers["GET /repos/owner/repo/pulls/7"] = pull()

    def run_post(*comments: dict[str, Any], markdown: str = f"{MARKER}\n# Two pods restart\n", **variables: str):
        def page(query: dict[str, list[str]], _: Any) -> Any:
            start = (int(query["page"][0]) - 1) * 100
            return list(comments[start : start + 100])

        github.answers[f"GET {NOTES}"] = page
        (tmp_path / "report.md").write_text(markdown, encoding="utf-8")
        given = {
            "NUMBER": "7",
            "MARKDOWN": str(tmp_path / "report.md"),
            "GITHUB_TOKEN": TOKEN,
            "HEAD": HEAD,
            "LINK": "https://l/1",
        } | variables
        return run("post", GITHUB_API_URL=github.url, **given)

    return run_post


@pytest.mark.parametrize(
    ("comments", "written"),
    [
        ([], ("POST", NOTES)),
        ([comment(3, BODY.replace("Two", "Three"))], ("PATCH", "/repos/owner/repo/issues/comments/3")),
        ([comment(3, BODY)], None),
        ([comment(3, BODY.replace("\n", "\r\n"))], None),
        (
            [comment(1, "hello", "person"), comment(2, None), comment(3, BODY + "more")],
            ("PATCH", "/repos/owner/repo/issues/comments/3"),
        ),
        # On the second page.
        ([comment(9, "x")] * 100 + [comment(3, BODY + "more")], ("PATCH", "/repos/owner/repo/issues/comments/3")),
        # A person who writes the marker gets no report put into the mouth.
        ([comment(2, BODY, "person")], ("POST", NOTES)),
        ([comment(2, BODY, None)], ("POST", NOTES)),
        # Another project's report, and one that only cites the marker.
        ([comment(2, BODY.replace("nodestead-report -->", "other -->"))], ("POST", NOTES)),
        ([comment(2, f"> {BODY}")], ("POST", NOTES)),
    ],
)
def test_one_comment_is_written_and_rewritten(
    post: Run, github: GitHub, comments: list[dict[str, Any]], written: tuple[str, str] | None
) -> None:
    done = post(*comments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert github.written() == ([(*written, {"body": BODY})] if written else [])


@pytest.mark.parametrize("changed", [pull(state="closed"), pull(head={"sha": "b" * 40})])
def test_a_pull_request_that_has_moved_on_is_left_alone(post: Run, github: GitHub, changed: dict[str, Any]) -> None:
    github.answers["GET /repos/owner/repo/pulls/7"] = changed
    assert post().returncode == 0
    assert github.written() == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"NUMBER": "7/../8"}, "NUMBER"),
        ({"NUMBER": ""}, "NUMBER"),
        ({"HEAD": ""}, "HEAD"),
        ({"HEAD": "main"}, "HEAD"),
        ({"NAME": "a --> @everyone"}, "artifact-name"),
        ({"markdown": "# hello"}, "marker"),
        ({"markdown": MARKER + "x" * 65_536}, "65,536"),
    ],
)
def test_what_is_no_comment_of_ours_is_refused(post: Run, github: GitHub, given: dict[str, str], why: str) -> None:
    done = post(**given)
    assert done.returncode == 1
    assert why in done.stdout
    assert github.asked == []


def test_a_token_that_may_not_write_is_said_in_words(post: Run, github: GitHub) -> None:
    github.answers[f"POST {NOTES}"] = (403, {"message": "Resource not accessible\n::error::by integration"})
    strict, lenient = post(), post(LENIENT="true")
    assert (strict.returncode, lenient.returncode) == (1, 0)
    assert "GitHub answers 403" in strict.stdout
    assert "::warning title=nodestead::no comment: GitHub answers 403" in lenient.stdout
    assert "pull-requests: write" in lenient.stdout
    # What others say makes no line of its own.
    assert len(strict.stdout.splitlines()) == len(lenient.stdout.splitlines()) == 1
    assert "Traceback" not in strict.stderr + lenient.stderr


# ---- the base


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path, name: str, text: str = "") -> str:
    (folder / name).write_text(text or name, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> dict[str, Any]:
    """main: one, two; feature: one, change; and the merge that GitHub makes of both."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q")
    one = commit(folder, "one")
    git(folder, "checkout", "-qb", "feature")
    change = commit(folder, "change")
    git(folder, "checkout", "-q", "main")
    two = commit(folder, "two")
    git(folder, "checkout", "-qb", "merged")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "feature")
    git(folder, "checkout", "-q", "main")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return {"folder": folder, "one": one, "two": two, "change": change}


def clone(origin: dict[str, Any], branch: str, *options: str) -> Path:
    folder = origin["folder"].with_name("clone")
    git(origin["folder"].parent, "clone", "-q", *options, "--branch", branch, f"file://{origin['folder']}", str(folder))
    return folder


def of(origin: dict[str, Any], base: str) -> dict[str, Any]:
    return {"pull_request": {"head": {"sha": origin["change"]}, "base": {"sha": origin[base]}}}


@pytest.mark.parametrize(
    ("branch", "options", "said", "found"),
    [
        # What came to main since the event is no change of the pull request.
        ("merged", ("--depth=1",), "one", "two"),
        ("merged", (), "one", "two"),
        ("feature", (), "two", "one"),
        ("feature", ("--depth=1", "--no-single-branch"), "two", "two"),
        ("feature", ("--depth=1",), "two", "two"),
    ],
)
def test_the_base_is_what_the_pull_request_is_merged_into(
    run: Run, outputs: Any, origin: dict[str, Any], branch: str, options: tuple[str, ...], said: str, found: str
) -> None:
    folder = clone(origin, branch, *options)
    done = run("base", folder, of(origin, said))
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs() == {"base": origin[found]}
    assert git(folder, "cat-file", "-t", origin[found]) == "commit"


@pytest.mark.parametrize("asked", ["main", "origin/main"])
def test_a_named_base_is_taken_and_fetched(run: Run, outputs: Any, origin: dict[str, Any], asked: str) -> None:
    folder = clone(origin, "feature", *(("--depth=1",) if asked == "main" else ()))
    assert run("base", folder, BASE=asked).returncode == 0
    assert outputs() == {"base": origin["two"]}


@pytest.mark.parametrize("asked", ["gone", "--upload-pack=touch pwned", "main;touch pwned", "$(touch pwned)", "a..b", "f" * 40])
def test_a_base_that_is_not_there_is_refused_in_words(run: Run, outputs: Any, origin: dict[str, Any], asked: str) -> None:
    folder = clone(origin, "feature")
    done = run("base", folder, BASE=asked)
    assert done.returncode == 1
    assert done.stdout.startswith("::error title=nodestead::")
    assert "Traceback" not in done.stderr
    assert outputs() == {}
    assert not list(folder.parent.rglob("pwned"))


def test_a_fetch_with_the_token_has_it_in_no_argument(
    run: Run, outputs: Any, origin: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clone(origin, "feature", "--depth=1")
    real = subprocess.run(["/bin/sh", "-c", "command -v git"], capture_output=True, text=True, check=True).stdout.strip()
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    # Refuses to fetch without the header, as a private repository does.
    fake.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nif [ "$1" = fetch ] && [ -z "$GIT_CONFIG_VALUE_0" ]; then exit 128; fi\n'
        f'echo "$GIT_CONFIG_KEY_0 $GIT_CONFIG_VALUE_0" >> {tmp_path}/settings\nunset GIT_CONFIG_COUNT\nexec {real} "$@"\n',
        encoding="utf-8",
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    done = run("base", folder, of(origin, "two"), FETCH_TOKEN=TOKEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs() == {"base": origin["two"]}
    assert "http.https://github.com/.extraheader AUTHORIZATION: basic " in (tmp_path / "settings").read_text(encoding="utf-8")
    assert TOKEN not in (tmp_path / "asked").read_text(encoding="utf-8") + done.stdout + done.stderr


# ---- what is installed


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, Path]]:
    """What goes into each environment, by whose name, and from where; nothing is installed."""
    monkeypatch.syspath_prepend(STEPS)
    import install

    made: list[tuple[str, Path]] = []

    def environment(folder: Path, what: list[str], where: Path) -> Path:
        made.append((f"{folder.name} {' '.join(what)}", where))
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "nodestead").touch()
        return folder / "bin" / "python"

    monkeypatch.setattr(install, "_environment", environment)
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    return made


@pytest.mark.parametrize(
    ("before", "after", "other", "environments"),
    [
        ("nodestead==0.1.0\n", "nodestead==0.2.0\n", None, ["head", "base"]),
        ("nodestead==0.1.0\n", "nodestead==0.1.0\n", None, ["head"]),
        ("nodestead==0.1.0\n", "nodestead==0.1.0\n", "stack.yaml", ["head"]),
        ("-r more/requirements.txt\n", "-r more/requirements.txt\n", "more/requirements.txt", ["head", "base"]),
        # A revision's own components are taken anyway, another folder's code is not.
        ("-e ./components\n", "-e ./components\n", None, ["head"]),
        ("a==1\n-e ./components # ours\n", "a==1\n-e ./components # ours\n", None, ["head"]),
        ("-e ./components\n", "-e ./components\n", "components/pyproject.toml", ["head", "base"]),
        ("-e ./components-of-mine\n", "-e ./components-of-mine\n", None, ["head", "base"]),
        ("nodestead @ file:///lib\n", "nodestead @ file:///lib\n", None, ["head", "base"]),
        ("./lib\n", "./lib\n", None, ["head", "base"]),
        # A base without requirements is rendered by what the head has.
        (None, "nodestead==0.2.0\n", None, ["head"]),
    ],
)
def test_the_base_has_requirements_of_its_own_where_they_differ(
    installed: list[tuple[str, Path]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    before: str | None,
    after: str,
    other: str | None,
    environments: list[str],
) -> None:
    project = tmp_path / "repository" / "infra"
    for folder in ("more", "components"):
        (project / folder).mkdir(parents=True)
    git(project.parent, "init", "-q")
    for revision, text in enumerate((before, after)):
        if text is not None:
            (project / "requirements.txt").write_text(text)
        if other is not None:
            (project / other).write_text(str(revision))
        base = git(project, "rev-parse", "HEAD") if revision else ""
        commit(project, f"{revision}")
    monkeypatch.chdir(project)
    monkeypatch.setenv("REQUIREMENTS", "requirements.txt")
    monkeypatch.setenv("BASE", base)
    import install

    install.install()
    assert [what for what, _ in installed] == [f"{name} -r requirements.txt" for name in environments]
    for _, where in installed[1:]:
        assert (where / "requirements.txt").read_text() == before
        assert where.parts[-2:] == ("base-tree", "infra")
    said = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert said["nodestead"].endswith("/head/bin/nodestead")
    assert bool(said["base-python"]) == (len(environments) == 2)


def test_the_tree_of_the_base_needs_no_git_lfs_and_runs_no_hook(
    installed: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = tmp_path / "repository"
    project.mkdir()
    git(project, "init", "-q")
    (project / "requirements.txt").write_text("./lib\n")
    (project / ".gitattributes").write_text("*.bin filter=lfs\n")
    (project / "big.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    commit(project, "base")
    hook = project / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    hook.chmod(0o755)
    for key, value in {"smudge": "false", "process": "false", "required": "true"}.items():
        git(project, "config", f"filter.lfs.{key}", value)
    monkeypatch.chdir(project)
    monkeypatch.setenv("REQUIREMENTS", "requirements.txt")
    monkeypatch.setenv("BASE", git(project, "rev-parse", "HEAD"))
    import install

    install.install()

    assert [what.split()[0] for what, _ in installed] == ["head", "base"]
    assert not (tmp_path / "ran").exists()


def test_without_requirements_the_action_brings_nodestead(
    installed: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import install

    monkeypatch.delenv("REQUIREMENTS", raising=False)
    install.install()
    assert [what for what, _ in installed] == [f"head {STEPS.parents[1] / 'components'}"]


# ---- the reports


@pytest.fixture
def nodestead(tmp_path: Path) -> Path:
    """A command that writes down its arguments and variables, and writes what it is told to."""
    made = tmp_path / "nodestead"
    made.write_text(
        f"""#!{sys.executable}
import json, os, pathlib, sys
here = pathlib.Path({str(tmp_path)!r})
asked = sys.argv[1:]
with (here / "asked").open("a") as file:
    file.write(json.dumps(asked) + "\\n")
(here / "seen").write_text(json.dumps(dict(os.environ)))
text = (here / "text").read_text() if (here / "text").exists() else "plain"
for word in asked:
    if word.startswith("--write=") and not (here / "broken").exists():
        pathlib.Path(word[8:]).write_text({MARKER!r} + "\\n" + text if word.endswith(".md") else text)
print("::set-output name=x::y")
sys.exit(int((here / "code").read_text()) if (here / "code").exists() else 0)
""",
        encoding="utf-8",
    )
    made.chmod(0o755)
    return made


def asked_of(tmp_path: Path) -> list[list[str]]:
    return [json.loads(line) for line in (tmp_path / "asked").read_text(encoding="utf-8").splitlines()]


def test_inputs_go_to_the_command_as_one_word_each(run: Run, nodestead: Path, tmp_path: Path) -> None:
    given = {
        "STACKS": "dev, prod\n--help $(id)",
        "PROGRAM": "a b;id",
        "FAIL_ON": "caution",
        "ACCEPTED": "a.yaml",
        "LINK": "https://l",
    }
    done = run("report", NODESTEAD=str(nodestead), BASE="abc", BASE_PYTHON="/v/python", **given)
    assert done.returncode == 0, done.stdout + done.stderr
    (asked,) = asked_of(tmp_path)
    assert [word for word in asked if not word.startswith("--write=")] == [
        *("diff", "abc", "--stack=dev", "--stack=prod", "--stack=--help", "--stack=$(id)"),
        *("--program=a b;id", "--base-python=/v/python", "--fail-on=caution", "--accepted=a.yaml", "--link=https://l"),
    ]


@pytest.mark.parametrize(("code", "verdict"), [(0, "passed"), (1, "risk"), (2, "incomplete")])
def test_the_exit_code_is_an_output_and_the_reports_come_first(
    run: Run, nodestead: Path, outputs: Any, tmp_path: Path, code: int, verdict: str
) -> None:
    (tmp_path / "code").write_text(str(code))
    assert run("report", NODESTEAD=str(nodestead), BASE="abc", GITHUB_STEP_SUMMARY=str(tmp_path / "summary")).returncode == 0
    found = outputs()
    assert (found["exit-code"], found["verdict"]) == (str(code), verdict)
    assert [Path(found[form]).name for form in ("markdown", "html", "json")] == ["report.md", "report.html", "report.json"]
    assert (tmp_path / "summary").read_text() == "plain\n"


_PLAN = {"set": "codex", "pods": 9, "running": 9, "batches": ["a", "b"], "allAtOnce": False, "replaced": False}
_FORMS = [
    ("of an older nodestead", {}, 0, "9 of 9 pods restart in 2 batches**"),
    ("of this one", {"stop": {"rules": ["volume-shrunk"], "inPreview": True}}, 0, "volume-shrunk stops it in its preview**"),
    ("of a stranger", {"stop": {"rules": ["@all"], "inPreview": False}}, 0, "`@all` stops it**"),
    ("of a later one", {"pause": None}, 2, "it is no report of this version of nodestead: `stacks.0`: `extra_forbidden`"),
]


@pytest.mark.parametrize(("given", "code", "told"), [case[1:] for case in _FORMS], ids=[case[0] for case in _FORMS])
def test_a_report_of_whatever_version_becomes_a_comment(
    run: Run, outputs: Any, tmp_path: Path, given: dict[str, Any], code: int, told: str
) -> None:
    counts = {"added": 0, "changed": 9, "replaced": 0, "removed": 0, "unchanged": 4}
    stack = {"name": "prod", "counts": counts, "restarts": [_PLAN], **given}
    made = {"format": "nodestead-report", "version": 1, "base": "main", "head": "x", "stacks": [stack]}
    (tmp_path / "report.json").write_text(json.dumps(made))
    command = str(Path(sys.executable).with_name("nodestead"))
    (tmp_path / "Pulumi.yaml").write_text("name: x\nruntime: python\n")
    done = run("report", NODESTEAD=command, BASE="", PREVIEWS="report.json", FAIL_ON="never", SILENT="true")
    assert done.returncode == 0, done.stdout + done.stderr
    found = outputs()
    assert found["exit-code"] == str(code)
    text = Path(found["markdown"]).read_text(encoding="utf-8")
    assert text.startswith(MARKER)
    assert told in text


def test_engine_previews_are_merged_and_judged_as_a_whole(run: Run, nodestead: Path, tmp_path: Path) -> None:
    (tmp_path / "previews").mkdir()
    for name in ("prod.json", "-rf.json"):
        (tmp_path / "previews" / name).write_text("{}")
    given = {"PREVIEWS": "previews/*.json\nnone/*.json", "FAIL_ON": "info"}
    done = run("report", NODESTEAD=str(nodestead), BASE="abc", **given)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = asked_of(tmp_path)
    assert (first[:2], first[-1]) == (["diff", "abc"], "--fail-on=never")
    assert second[0] == "review"
    assert "--fail-on=info" in second
    assert [Path(word).name for word in second if not word.startswith("--")][1:] == ["diff.json", "-rf.json", "prod.json"]
    assert "no file is at 'none/*.json'" in done.stdout


def test_previews_alone_make_a_report_and_nothing_at_all_is_refused(run: Run, nodestead: Path, tmp_path: Path) -> None:
    (tmp_path / "prod.json").write_text("{}")
    assert run("report", NODESTEAD=str(nodestead), PREVIEWS="*.json").returncode == 0
    assert asked_of(tmp_path)[0][0] == "review"
    done = run("report", NODESTEAD=str(nodestead), PREVIEWS="*.none")
    assert done.returncode == 1
    assert "::error title=nodestead::engine-previews" in done.stdout


def test_a_command_that_writes_no_report_is_an_error_in_words(run: Run, nodestead: Path, outputs: Any, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("")
    (tmp_path / "code").write_text("2")
    done = run("report", NODESTEAD=str(nodestead), BASE="abc")
    assert done.returncode == 1
    assert "nodestead ended with 2 and without report.md, report.html, report.json" in done.stdout
    assert outputs() == {}


SECRET = 'hunter2-"&<hunter'


def test_no_secret_of_the_job_gets_to_the_program_or_into_a_report(
    run: Run, nodestead: Path, outputs: Any, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text(f"{SECRET} {json.dumps(SECRET)} hunter2-&quot;&amp;&lt;hunter second-line dev")
    secrets = {"PULUMI_ACCESS_TOKEN": SECRET, "DB_PASSWORD": "dev", "MY_KEY": "first-line\nsecond-line", "GITHUB_TOKEN": TOKEN}
    done = run("report", NODESTEAD=str(nodestead), BASE="abc", KEYBOARD="us", **secrets)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((tmp_path / "seen").read_text())
    assert {seen[name] for name in secrets} == {"[secret]"}
    assert "GITHUB_OUTPUT" not in seen
    assert seen["KEYBOARD"] == "us"
    for form in ("markdown", "html", "json"):
        text = Path(outputs()[form]).read_text()
        assert "hunter" not in text
        assert text.endswith('[hidden] "[hidden]" [hidden] [hidden] dev')
    assert "report.md held the value of a secret variable" in done.stdout
    assert "hunter" not in done.stdout


def test_the_runner_takes_no_line_of_a_report_for_a_command(run: Run, nodestead: Path) -> None:
    done = run("report", NODESTEAD=str(nodestead), BASE="abc")
    stopped = re.search(
        r"^::stop-commands::([0-9a-f]{32})\n.*::set-output name=x::y\n.*^::\1::\n", done.stdout, re.MULTILINE | re.DOTALL
    )
    assert stopped
    assert "::set-output" not in run("report", NODESTEAD=str(nodestead), BASE="abc", SILENT="true").stdout


# ---- the engine


def test_previews_leave_the_job_as_a_report_without_what_was_in_its_variables(
    run: Run, nodestead: Path, outputs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/previewed\ncat "$KUBECONFIG" >> {tmp_path}/kubeconfig\necho "{{}}"\nexit 255\n',
        encoding="utf-8",
    )
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{pulumi.parent}:{os.environ['PATH']}")
    said = {"stacks": [{"name": "prod", "notes": ["the token is s3cr3t-token, the cluster https://10.1.2.3:6443"]}]}
    said["stacks"].append({"name": "preview-1.json", "notes": []})
    (tmp_path / "text").write_text(json.dumps(said))
    given = {
        "PULUMI_ACCESS_TOKEN": "s3cr3t-token",
        "KUBECONFIG_TEXT": "server: x\nhttps://10.1.2.3:6443\n",
        "STACKS": "prod, org/a/prod",
    }
    done = run("engine", NODESTEAD=str(nodestead), **given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "previewed").read_text().splitlines() == [
        "preview --json --show-sames --non-interactive --stack=prod",
        "preview --json --show-sames --non-interactive --stack=org/a/prod",
    ]
    assert "server: x" in (tmp_path / "kubeconfig").read_text()
    assert json.loads(Path(outputs()["report"]).read_text()) == {
        "stacks": [
            {"name": "prod (the engine's preview)", "notes": ["the token is [hidden], the cluster [hidden]"]},
            # What could not be read is called by its stack, not by a file of the step.
            {"name": "org/a/prod (the engine's preview)", "notes": []},
        ]
    }
    assert not list((tmp_path / "runner").rglob("kubeconfig"))
    (asked,) = asked_of(tmp_path)
    assert asked[:3] == ["review", "preview-0.json", "preview-1.json"]
    assert f"--dir={tmp_path}" in asked
    seen = json.loads((tmp_path / "seen").read_text())
    assert {seen["PULUMI_ACCESS_TOKEN"], seen["KUBECONFIG_TEXT"]} == {"[secret]"}


def test_no_stack_to_preview_is_refused(run: Run, nodestead: Path) -> None:
    assert run("engine", NODESTEAD=str(nodestead), STACKS=" ").returncode == 1

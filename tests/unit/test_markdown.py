"""A report as a comment: short, ordered by danger, and nothing in it but text."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_cases import BUMP, PLAN, risk

from nodestead.reports.escape import code, fenced, html_code, names, prose, units
from nodestead.reports.markdown import MARKER, markdown
from nodestead.reports.model import (
    Capacity,
    Counts,
    Entry,
    FieldReport,
    Group,
    Report,
    RestartPlan,
    Risk,
    StackReport,
    Stop,
    Value,
)

COUNTS = Counts(added=0, changed=9, replaced=0, removed=0, unchanged=40)
CAPACITY = Capacity(nodes=9, pods=9, cpu=2.25, memory=9 * 512 * 1024**2, storage=180 * 1024**3, load_balancers=0)


def stack(**given: Any) -> StackReport:
    content: dict[str, Any] = {
        "name": "prod",
        "counts": COUNTS,
        "before": CAPACITY,
        "after": CAPACITY,
        "restarts": [PLAN],
        "groups": [Group(set="codex", component="StorageNodeGroup", entries=[BUMP])],
    }
    return StackReport(**{**content, **given})


def report(*stacks: StackReport, **given: Any) -> Report:
    return Report(**{"base": "main", "head": "the working tree", "stacks": list(stacks), **given})


NOTHING = stack(counts=Counts(added=0, changed=0, replaced=0, removed=0, unchanged=42), restarts=[], groups=[])


def test_a_report_without_a_change_is_three_lines() -> None:
    assert markdown(report(NOTHING)) == (
        "<!-- nodestead:report -->\n## 🟢 No change in stack `prod`\n`main` → `the working tree`: 42 objects unchanged\n"
    )


def test_stacks_without_a_change_are_named_in_one_line_below_the_others() -> None:
    quiet = [NOTHING.model_copy(update={"name": name}) for name in ("dev", "staging")]
    text = markdown(report(quiet[0], stack(name="prod"), quiet[1]))

    assert text.splitlines()[1].startswith("## 🟢 No danger in stack `prod`: 9 pods restart")
    assert text.count("No change in `dev`, `staging`.") == text.count("No change") == 1
    assert text.index("### Stack `prod`") < text.index("No change in")


def test_a_stack_without_a_change_that_has_a_note_is_told_of() -> None:
    noted = NOTHING.model_copy(update={"name": "dev", "notes": ["an encrypted value differs"]})
    text = markdown(report(stack(name="prod"), noted))
    assert "### Stack `dev`" in text
    assert "an encrypted value differs" in text


def test_the_usual_change_is_one_screen_and_the_detail_is_folded() -> None:
    text = markdown(report(stack()))
    assert text.startswith(
        "<!-- nodestead:report -->\n## 🟢 No danger in stack `prod`: 9 pods restart in 2 batches\n\n"
        "`main` → `the working tree`\n\n### What changes\n\n- `codex`: **9 of 9 pods restart in 2 batches**\n"
        "- `codex`: 9 nodes: image `0.2.4` → `0.2.5`\n- Objects: 9 changed, 40 unchanged\n\nCapacity as before: nodes 9, "
    )
    assert len(text[: text.index("<details>")].splitlines()) < 20
    assert "- 9 StatefulSets `codex-1` … `codex-9`: changed\n  - `spec.image`: `a:0.2.4` → `a:0.2.5`" in text
    assert "1. `codex-1` … `codex-5`" in text


def test_a_restart_that_may_never_come_says_what_stops_the_update() -> None:
    text = markdown(report(stack(stop=Stop(rules=["network-changed"], in_preview=True))))
    assert text.splitlines()[1].endswith(" in stack `prod`: 9 pods restart in 2 batches, if the update gets that far")
    told = "9 of 9 pods restart in 2 batches, if the update gets that far: network-changed stops it in its preview"
    assert f"- `codex`: **{told}**\n" in text
    assert f"- `codex`: {told}\n  1. " in text
    text = markdown(report(stack(stop=Stop(rules=["network-changed"], in_preview=True), restarts=[])))
    assert "- **The update does not get through: network-changed stops it in its preview**\n" in text


def test_a_name_of_a_rule_that_a_stranger_made_up_stays_text() -> None:
    stop = Stop(rules=["** @all <img src=x>\n\n# Approved"], in_preview=False)
    for restarts in ([PLAN], []):
        text = markdown(report(stack(stop=stop, restarts=restarts)))
        assert "`@all` `<img` `src=x>` `#` Approved stops it**\n" in text
        assert not re.search(r"(?<!`)(@all|<img)|^# ", text, re.MULTILINE)


def test_sets_of_which_pods_restart_beyond_the_first_are_counted() -> None:
    plans = [PLAN.model_copy(update={"set": f"s{number}"}) for number in range(8)]
    assert "- and pods of 2 more sets restart\n" in markdown(report(stack(restarts=plans)))
    assert "- and pods of 3 more sets restart\n" in markdown(report(stack(restarts=plans, more_restarts=1)))
    assert "- and pods of" not in markdown(report(stack(restarts=plans[:6])))


def test_dangers_come_first_then_what_was_not_compared_then_cautions() -> None:
    made = report(
        stack(risks=[risk("caution", title="A caution"), risk("info", title="A note"), risk("danger", title="A danger")]),
        StackReport(name="dev", failures=["its config is refused"]),
    )
    text = markdown(made)
    assert text.splitlines()[1] == "## 🔴 1 danger, 1 caution in 2 stacks, 1 of them not compared: 9 pods restart in 2 batches"
    places = [
        text.index(one)
        for one in ("A danger", "its config is refused", "A caution", "pods restart in 2 batches**", "A note", "All changes")
    ]
    assert places == sorted(places)
    assert text.index("<details>") < text.index("A note")


def test_stacks_that_fail_for_one_reason_are_named_together() -> None:
    made = [StackReport(name=f"s{number}", failures=["it is old"]) for number in range(22)]
    assert "- `dev`: it is refused\n" in markdown(report(StackReport(name="dev", failures=["it is refused"]), *made))
    assert "`s18`, `s19` and 2 more: it is old\n" in markdown(report(StackReport(name="dev", failures=["it is refused"]), *made))


def test_a_failure_of_several_lines_is_a_list() -> None:
    told = "it cannot be rendered: the config is refused, 2 problems:\n  - a.b: 'x' is *wrong*\n  - c: is required"
    text = markdown(report(StackReport(name="prod", failures=[told])))
    assert (
        "- `prod`: it cannot be rendered: the config is refused, 2 problems:\n  - `a.b`: 'x' is `*wrong*`\n  - c: is required\n"
        in text
    )


def test_a_stack_that_could_not_be_compared_says_nothing_of_changes() -> None:
    none = Counts(added=0, changed=0, replaced=0, removed=0, unchanged=None)
    text = markdown(report(StackReport(name="prod", failures=["its config is refused"], counts=none)))
    assert text == (
        "<!-- nodestead:report -->\n## ⛔ 1 failure in stack `prod`\n\n`main` → `the working tree`\n\n"
        "### ⛔ Compared only in part\n\n- `prod`: its config is refused\n"
    )


def test_cases_of_one_rule_share_what_to_do_instead() -> None:
    text = markdown(report(stack(risks=[risk(subject="codex"), risk(subject="store")])))
    assert text.count("Keep it.") == 1
    assert "- **A volume shrinks**, 2 cases" in text
    assert "  - `codex`: `2Gi` → `1Gi`\n  - `store`: `2Gi` → `1Gi`" in text


def test_an_accepted_risk_is_folded_with_its_reason() -> None:
    text = markdown(report(stack(risks=[risk(accepted="the test net ends")])))
    assert text.splitlines()[1].startswith("## 🟢 No danger")
    assert "*Accepted:* the test net ends" in text[text.index("<details>") :]


def test_capacity_is_a_table_where_it_changes() -> None:
    after = CAPACITY.model_copy(update={"nodes": 10, "storage": 200 * 1024**3})
    text = markdown(report(stack(after=after)))
    assert "| | nodes | pods | CPU requested | memory requested | storage claimed |" in text
    assert "| before | 9 | 9 | 2.25 | 4.5 GiB | 180 GiB |\n| after | **10** | 9 | 2.25 | 4.5 GiB | **200 GiB** |" in text


def test_without_the_whole_there_is_no_capacity() -> None:
    text = markdown(report(stack(before=None, after=None, counts=COUNTS.model_copy(update={"unchanged": None}))))
    assert "Capacity" not in text
    assert "- Objects: 9 changed\n" in text


def test_what_is_cut_is_counted_and_the_whole_is_named() -> None:
    many = [risk(subject=f"set{n}", what="x " * 250) for n in range(200)]
    text = markdown(report(stack(risks=many)), limit=10_000, link="https://ci.example.org/runs/7?a=b")
    assert len(text) <= 10_000
    shown = text.count("  - `set")
    assert f"**Cut: {200 - shown} dangers, " in text
    assert text.rstrip().endswith("The whole is in [the full report](<https://ci.example.org/runs/7?a=b>).")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://a.b/) @all", "https://a.b/<script>", "x" * 5_000])
def test_a_link_that_is_none_is_no_link(link: str) -> None:
    text = markdown(report(stack(risks=[risk(subject=f"set{n}", what="x " * 250) for n in range(200)])), limit=5_000, link=link)
    assert "](" not in text
    assert "**Cut: " in text


def test_details_go_first_and_dangers_last() -> None:
    made = report(
        stack(
            risks=[risk("danger", title="A danger"), risk("caution", title="A caution")],
            groups=[Group(set="codex", entries=[BUMP] * 500)],
        )
    )
    sizes = (60_000, 4_000, 1_300, 900)
    texts = {size: markdown(made, limit=size) for size in sizes}
    assert all(units(text) <= size for size, text in texts.items())
    assert "All changes" in texts[60_000]
    assert "A caution" in texts[4_000]
    assert "A danger" in texts[900]
    assert "All changes" not in texts[900]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the claim goes from 20Gi to 10Gi.", "the claim goes from `20Gi` to `10Gi`."),
        ("3 of 9 nodes, 25%", "3 of 9 nodes, 25%"),
        ("1,001 pods", "1,001 pods"),
        ("0.2.4 -> 0.2.5", "`0.2.4` → `0.2.5`"),
        ("thanks @everyone!", "thanks `@everyone`!"),
        ("fixes #1", "fixes `#1`"),
        ("see GH-12", "see `GH-12`"),
        ("https://a.b", "`https://a.b`"),
        ("www.a.b", "`www.a.b`"),
        ("a@b.org", "`a@b.org`"),
        ("[x](y)", "`[x](y`)"),
        ("![x](https://y/z.png)", "`![x](https://y/z.png`)"),
        ("<img src=x>", "`<img` `src=x>`"),
        ("<!-- x", "`<!--` x"),
        ("a|b", "`a|b`"),
        ("**b** _c_", "`**b**` `_c_`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("run `nodestead data`, then", "run `nodestead data`, then"),
        ("`a @all b`.", "`a @all b`."),
        ("`a b`c` d", "`` `a `` `` b`c` `` d"),
        ("`a``b`", "``` `a``b` ```"),
        ("deadbeef", "`deadbeef`"),
        (":tada:", "`:tada`:"),
        ("$x$", "`$x$`"),
        ("a\n# b", "a `#` b"),
        ("/close", "`/close`"),
        ("a\u202eb", "`a\ufffdb`"),
        ("\x1b[31m", "`\ufffd[31m`"),
        ("", ""),
    ],
)
def test_a_sentence_of_a_stranger_stays_text(text: str, shown: str) -> None:
    assert prose(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", "`a`"),
        ("", "`(empty)`"),
        ("a`b", "``a`b``"),
        ("``", "``` `` ```"),
        ("a\nb", "`a b`"),
        ("a" * 300, "`" + "a" * 199 + "…`"),
    ],
)
def test_a_value_is_a_code_span(text: str, shown: str) -> None:
    assert code(text) == shown


def test_folded_names_are_code_spans() -> None:
    assert names("codex-1 … codex-9, a`b and 17 more") == "`codex-1` … `codex-9`, ``a`b`` and 17 more"


def test_a_fence_is_longer_than_any_in_it() -> None:
    assert fenced(["-```", "+````js"], "diff") == "`````diff\n-```\n+````js\n`````"


def test_what_stands_in_html_is_escaped() -> None:
    assert html_code("</summary><b>&\n@a") == "<code>&lt;/summary&gt;&lt;b&gt;&amp; @a</code>"


# ---- whatever a report holds


def built(model: Any, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    # `st.builds` takes the aliases in a model's signature for more of its arguments.
    return st.fixed_dictionaries(parts).map(lambda given: model(**given))


_NASTY = st.sampled_from(
    [
        "@all",
        "#123",
        "owner/repo#1",
        "`",
        "```",
        "```diff\n",
        "</details>",
        "<details>",
        "</code>",
        "</summary>",
        "<!-- nodestead:report -->",
        "-->",
        "![a](https://x/y.png)",
        "[a](javascript:b)",
        "| a | b |",
        "\n\n# h",
        "\n---\n",
        "\x1b]0;x\x07",
        "\u202e",
        "\u2028",
        "https://evil.example",
        "$`x`$",
        "\\",
        "&amp;",
        "😀",
        " and 5 more",
        " … ",
    ]
)
_TEXT = st.lists(_NASTY | st.text(max_size=20), max_size=6).map("".join)
_SHORT = _TEXT.map(lambda text: text[:300])
_OPERATION = st.sampled_from(["add", "change", "replace", "remove"])
_VALUE = built(Value, old=st.none() | _TEXT, new=st.none() | _TEXT, count=st.integers(1, 10**6))
_FIELD = built(
    FieldReport,
    path=_SHORT,
    label=_SHORT,
    values=st.lists(_VALUE, max_size=5),
    more=st.integers(0, 10**6),
    lines=st.lists(_TEXT, max_size=15),
    follows=st.booleans(),
)
_ENTRY = built(
    Entry,
    operation=_OPERATION,
    kind=_SHORT,
    objects=st.integers(1, 10**6),
    names=_TEXT,
    fields=st.lists(_FIELD, max_size=3),
    more=st.integers(0, 10**6),
    follows=st.booleans(),
    summary=_TEXT,
)
_GROUP = built(Group, set=_SHORT, component=_SHORT, entries=st.lists(_ENTRY, max_size=4), more=st.integers(0, 10**6))
_RISK = built(
    Risk,
    rule=_SHORT,
    severity=st.sampled_from(["info", "caution", "danger"]),
    title=_SHORT,
    subject=_SHORT,
    nodes=_TEXT,
    what=_TEXT,
    instead=_TEXT,
    accepted=st.none() | _TEXT,
)
_PLAN = built(
    RestartPlan,
    set=_SHORT,
    pods=st.integers(1, 10**6),
    running=st.none() | st.integers(0, 10**6),
    batches=st.lists(_TEXT, max_size=5),
    more=st.integers(0, 10**6),
    all_at_once=st.booleans(),
    replaced=st.booleans(),
)
_BIG = st.integers(0, 10**30)
_CAPACITY = built(Capacity, nodes=_BIG, pods=_BIG, cpu=st.floats(0, 1e30), memory=_BIG, storage=_BIG, load_balancers=_BIG)
_COUNTS = built(Counts, added=_BIG, changed=_BIG, replaced=_BIG, removed=_BIG, unchanged=st.none() | _BIG)
_STACK = built(
    StackReport,
    name=_SHORT,
    failures=st.lists(_TEXT, max_size=3),
    notes=st.lists(_TEXT, max_size=3),
    counts=st.none() | _COUNTS,
    risks=st.lists(_RISK, max_size=6),
    restarts=st.lists(_PLAN, max_size=3),
    more_restarts=st.integers(0, 10**6),
    stop=st.none() | built(Stop, rules=st.lists(_SHORT, max_size=5), in_preview=st.booleans()),
    before=st.none() | _CAPACITY,
    after=st.none() | _CAPACITY,
    groups=st.lists(_GROUP, max_size=3),
)
_REPORT = built(Report, base=_SHORT, head=_SHORT, notes=st.lists(_TEXT, max_size=3), stacks=st.lists(_STACK, max_size=4))


def outside_code(text: str) -> str:
    """What of a comment is read as Markdown: fences, code spans and `<code>` taken out as CommonMark and HTML do."""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        match = re.match(r" *(`{3,})(?:diff)?$", line)
        if fence:
            if match and len(match[1]) >= len(fence):
                fence = ""
            continue
        if match:
            fence = match[1]
            continue
        kept.append(re.sub(r"<code>[^<]*</code>", "", line) if "<summary>" in line else without_spans(line))
    assert not fence, "a fence is left open"
    return "\n".join(kept)


def without_spans(line: str) -> str:
    rest, done = line, ""
    while match := re.search("`+", rest):
        closing = re.search(rf"(?<!`){match[0]}(?!`)", rest[match.end() :])
        assert closing, f"a code span is left open: {line!r}"
        done, rest = done + rest[: match.start()], rest[match.end() :][closing.end() :]
    return done + rest


@given(_REPORT, st.sampled_from([800, 1_500, 5_000, 60_000]), st.none() | st.just("https://ci.example.org/1") | _TEXT)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_report_says_the_comment_is_text_within_its_limit(made: Report, limit: int, link: str | None) -> None:
    text = markdown(made, link=link, limit=limit)
    assert units(text) <= limit
    assert text.split("\n", 1)[0] == MARKER
    rest = outside_code(text.removeprefix(MARKER))
    assert not re.search(r"@\w", rest)
    assert not re.search(r"#\w", rest)
    # The link is the caller's own: whatever it is, it stands in its one place and nowhere else.
    assert "http" not in rest.replace(f"](<{link}>)", "")
    assert "![" not in rest
    tags = re.findall(r"<[^>]*>?", rest)
    known = {"<details>", "<summary>", "</summary>", "</details>", f"<{link}>"}
    assert set(tags) <= known
    assert tags.count("<details>") == tags.count("</details>") == tags.count("<summary>") == tags.count("</summary>")
    assert not set("\x1b\u202e\u2028\r\x07") & set(text)


@given(st.text(max_size=300))
def test_a_sentence_has_no_markdown_outside_of_code(text: str) -> None:
    assert not set(without_spans(prose(text))) & set("@#<>[]!*_~|\\$&") - {"!"}

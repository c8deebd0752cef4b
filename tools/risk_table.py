"""Writes docs/risks.md: what `nodestead diff` and `nodestead review` warn of, made from the rules.

Usage: python tools/risk_table.py [--check]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pages import finish

from nodestead.changes.rule import SEVERITIES, Rule
from nodestead.changes.rules import RULES

TARGET = Path(__file__).parent.parent / "docs" / "risks.md"
HEAD = """# Risks of a change

What `nodestead diff` and `nodestead review` look for, made from the rules by `make docs`. `--fail-on danger`, the default, ends
with exit code 1 where a danger is found that the repository does not accept.

A repository accepts a risk in `nodestead-accepted.yaml` beside its `Pulumi.yaml`, by the rule's id and with a reason. `stack` and
`subject` say where; without them it is accepted everywhere.

```yaml
accepted:
  - rule: set-removed
    stack: dev
    subject: codex
    reason: The group moved to another cluster, and its data is copied.
```
"""
MEANINGS = {
    "danger": "Data, stake or a key is at risk, or nodes go down together.",
    "caution": "Nodes may suffer; somebody has to know of it.",
    "info": "What happens, so that nobody is surprised.",
}


def table(severity: str, rules: list[Rule]) -> Iterator[str]:
    """The rules of one severity."""
    yield f"\n## {severity.capitalize()}\n\n{MEANINGS[severity]}\n"
    yield "| rule | what was found | what happens to the nodes | what to do instead |\n|---|---|---|---|"
    for rule in rules:
        cells = (f"`{rule.id}`", rule.title, rule.happens, rule.instead)
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n")]
    for severity in reversed(SEVERITIES):
        lines += table(severity, [rule for rule in RULES if rule.severity == severity])
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(finish(page(), TARGET))

"""Git repositories with stacks, made for one test."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROJECT = "name: nodestead\nruntime: python\nstackConfigDir: stacks\n"
STACK = """
config:
  nodestead:namespace: {name: storage}
  nodestead:cluster: {render: rendered}
  nodestead:storageNodeGroups:
    codex: {replicas: 2, software: {kind: codex, version: 0.2.4}, persistence: {kind: volume, size: 2Gi}}
"""
FILES = {"Pulumi.yaml": PROJECT, "stacks/Pulumi.dev.yaml": STACK}


def git(folder: Path, *args: str) -> str:
    names = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "test")
    mails = dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "test@example.org")
    environment = {**os.environ, **names, **mails, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *args], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def written(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def committed(folder: Path, files: Mapping[str, str], message: str = "change") -> str:
    """Writes and commits files; the commit."""
    written(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    """A repository with a first commit on main."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    committed(folder, files, "first")
    return folder


def worktrees(folder: Path) -> list[str]:
    return git(folder, "worktree", "list").splitlines()

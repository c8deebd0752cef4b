"""Asks the cluster through kubectl, with the user's own access."""

import subprocess
from dataclasses import dataclass

__all__ = ["Kubectl", "KubectlError"]


class KubectlError(RuntimeError):
    """What kubectl answered instead, in one line."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The program kubectl, bound to a cluster.

    Attributes:
        context: Name of a context; None for the current one.
        kubeconfig: File; None for kubectl's own choice.
    """

    context: str | None = None
    kubeconfig: str | None = None

    @property
    def flags(self) -> list[str]:
        """The options that name the cluster."""
        flags = ["--context", self.context] if self.context else []
        return flags + (["--kubeconfig", self.kubeconfig] if self.kubeconfig else [])

    def run(self, *args: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Runs a command and gives what it prints.

        Raises:
            KubectlError: no kubectl, no answer in time, or a refusal.
        """
        try:
            done = subprocess.run(  # noqa: S603 # a list of arguments, no shell
                ["kubectl", *self.flags, *args],  # noqa: S607 # the user's kubectl, found as a shell would
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
                check=False,
            )
        except FileNotFoundError:
            raise KubectlError("kubectl is not on PATH; install it from https://kubernetes.io/docs/tasks/tools/") from None
        except subprocess.TimeoutExpired:
            raise KubectlError(f"no answer within {timeout_seconds:g} s") from None
        if done.returncode != 0:
            raise KubectlError(_reason(done.stderr, done.returncode))
        return done.stdout


def _reason(stderr: str, code: int) -> str:
    """The last line of kubectl's errors; the ones before are its attempts and warnings."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines:
        return f"kubectl ended with {code}"
    return lines[-1].removeprefix("error: ").removeprefix("Error from server ").lstrip()

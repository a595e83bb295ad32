"""Who asks, for the record: what `--by` says, else the CI system, else the login name."""

import getpass
from collections.abc import Mapping

CI_ACTORS = (
    "GITHUB_ACTOR",  # GitHub Actions; Gitea and Forgejo set it too
    "GITLAB_USER_LOGIN",
    "BUILDKITE_BUILD_CREATOR",
    "CIRCLE_USERNAME",
    "BITBUCKET_STEP_TRIGGERER_UUID",
    "BUILD_REQUESTEDFOR",  # Azure Pipelines
    "CI_COMMIT_AUTHOR",  # Woodpecker
    "DRONE_COMMIT_AUTHOR",
    "BUILD_USER_ID",  # Jenkins, with its build-user-vars plugin
)
"""The variables in which CI systems name whoever caused the run; the first that says so counts."""


def actor(given: str | None, environment: Mapping[str, str]) -> str:
    """Find out who asks: `given`, else the CI's actor, else the login name, else `unknown`."""
    named = (given, *(environment.get(name) for name in CI_ACTORS))
    for name in named:
        if name and name.strip():
            return name.strip()
    return _login_name() or "unknown"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return ""

"""Who asks, for the record: what `--by` says, else the CI system, else the login name."""

import getpass
from collections.abc import Mapping

from tau_rollout_gate.services.recorded import is_text

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
    """Find out who asks: `given`, else the CI's actor, else the login name, else `unknown`.

    What nobody gave is passed over where it is no text: it must keep nobody from a rollback.
    """
    if given and given.strip():
        return given.strip()
    for name in (*(environment.get(name) for name in CI_ACTORS), _login_name()):
        if name and name.strip() and is_text(name):
            return name.strip()
    return "unknown"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return ""

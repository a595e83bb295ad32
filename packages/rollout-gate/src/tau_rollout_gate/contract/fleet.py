"""What a rollout has pinned of its fleet, and `fleet.toml`, which says where the fleet is.

The rules are the contract's (runbooks/state-files.md, "A fleet's rollout").
"""

from typing import Annotated

from msgspec import Meta

from tau_rollout_gate.contract.forms import Count, Form, Number, Sha256, Surfaces, Text, Version

Token = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""A random number that no other rollout has, as 64 hex digits."""


class FleetPin(Form, frozen=True, kw_only=True):
    """The fleet of a rollout, as it was pinned; its hosts are in a table beside `rollout.json`.

    Args:
        name: The fleet's name.
        roster: Where the roster is: an absolute path, or a URL.
        roster_sha256: Its digest at the start, or when the phase was entered.
        store: Where the hosts' files are, with `{host}` and `{surface}` in it.
        store_id: The id in the sentinel of that store.
        lock_id: What this rollout's lock in the store has in it.
        hosts: How many hosts the roster had then.
        table: The decision whose table of hosts counts, `hosts-<n>.tsv.gz`; None before any.
        table_sha256: The digest of that file; None before any.
        seen_sha256: The digest of `hosts-seen.tsv.gz`, what `advance` saw since that decision; None
            where it has seen nothing since.
        look: How often `advance` has looked at the hosts in this phase.
        tells_release: The surfaces of which a canary's cycles were seen to tell a release.
    """

    name: Text
    roster: Text
    roster_sha256: Sha256
    store: Text
    store_id: Text
    lock_id: Token
    hosts: Count
    table: Number | None = None
    table_sha256: Sha256 | None = None
    seen_sha256: Sha256 | None = None
    look: Count = 0
    tells_release: tuple[Text, ...] = ()

    def without_seen(self) -> "FleetPin":
        """The same without what `advance` notes with no decision."""
        return self.replaced(seen_sha256=None, look=0, tells_release=())


class FleetFile(Form, frozen=True, kw_only=True):
    """`fleet.toml`: where a fleet is.

    Args:
        schema_version: The version of the form.
        name: The fleet's name.
        surfaces: The surfaces that each of its hosts has.
        roster: The roster: a path from this file's folder, or a URL.
        store: Where the hosts' files are, a path or a URL, with `{host}` and `{surface}` in it.
    """

    schema_version: Version
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    surfaces: Surfaces
    roster: Text
    store: Text

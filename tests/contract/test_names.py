"""Names that one program knows of another: copies, since the packages share no code."""

from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.evidence.values import UNPACKERS
from tau_rollout_gate.formats.context import INSPECTED
from tau_rollout_gate.policy.lint import KNOWN_SURFACES
from tau_transport_health.health import remedies
from tau_transport_health.health.targets import BUILT_IN, CHAINED_TRANSPORT


def test_the_gate_sends_to_the_inspector_what_that_knows_by_name() -> None:
    """A surface that both know is diagnosed; any other name the inspector would refuse."""
    assert set(BUILT_IN) == INSPECTED


def test_both_expect_a_chain_of_the_same_writer() -> None:
    """And the runtime that is advised to run is its."""
    assert CHAINED_SURFACE == CHAINED_TRANSPORT
    assert CHAINED_SURFACE in INSPECTED


def test_both_unpack_the_same_compressed_files_by_the_same_commands() -> None:
    """What one calls a compressed log the other does not take for a removed line."""
    assert dict(UNPACKERS) == dict(remedies.UNPACKERS)


def test_every_surface_that_the_gate_knows_is_one_of_the_inspector() -> None:
    """What `start` compares a slip with can be diagnosed."""
    assert INSPECTED >= KNOWN_SURFACES
